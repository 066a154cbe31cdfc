"""Who may do what over the API: staff as in the admin, and API clients within their scope."""

from typing import TYPE_CHECKING

from django.contrib.auth import get_permission_codename
from rest_framework.permissions import SAFE_METHODS, BasePermission

if TYPE_CHECKING:  # these modules read the settings that name this one
    from rest_framework.request import Request
    from rest_framework.views import APIView


class ApiPermissions(BasePermission):
    """
    Let staff and clients do what their permissions allow in the admin; without records, signing in is enough.

    A view names in `acts_of_people` what no system may do, because it takes two people.
    """

    message: str | None = None

    def has_permission(self, request: "Request", view: "APIView") -> bool:
        from accounts.models import ApiKey, Scope  # models may not be loaded when this module is

        client = request.auth.client if isinstance(request.auth, ApiKey) else None
        if client is None and not (request.user and request.user.is_staff):
            return False
        if client is not None and request.method not in SAFE_METHODS:
            if client.scope != Scope.READ_AND_WRITE:
                self.message = "This client may only read."
                return False
            if getattr(view, "action", "") in getattr(view, "acts_of_people", ()):
                self.message = "A person has to do this, in the admin or with a personal key from /api/v1/token/."
                return False
        records = getattr(view, "get_queryset", None)
        if records is None:
            return True
        opts = records().model._meta
        return bool(request.user.has_perm(f"{opts.app_label}.{get_permission_codename(_verb(request, view), opts)}"))


def _verb(request: "Request", view: "APIView") -> str:
    if request.method in SAFE_METHODS:
        return "view"
    return "add" if getattr(view, "action", "") == "create" else "change"
