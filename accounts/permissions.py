"""API permissions: staff as in the admin, and API clients within their scope."""

from typing import TYPE_CHECKING

from django.contrib.auth import get_permission_codename
from rest_framework.permissions import SAFE_METHODS, BasePermission

if TYPE_CHECKING:  # the settings refer to this module, and these modules read the settings
    from rest_framework.request import Request
    from rest_framework.views import APIView


class ApiPermissions(BasePermission):
    """
    Staff and clients may do what their permissions allow in the admin. Views without records only require a sign-in.

    A view lists in `person_only_actions` what no client may do, because it takes two people.
    """

    message: str | None = None

    def has_permission(self, request: "Request", view: "APIView") -> bool:
        from accounts.models import ApiKey, Scope  # this module may be imported before models are loaded

        client = request.auth.client if isinstance(request.auth, ApiKey) else None
        if client is None and not (request.user and request.user.is_staff):
            return False
        if client is not None and request.method not in SAFE_METHODS:
            if client.scope != Scope.READ_AND_WRITE:
                self.message = "This client may only read."
                return False
            if getattr(view, "action", "") in getattr(view, "person_only_actions", ()):
                self.message = "Only a person can do this, in the admin or with a personal key from /api/v1/token/."
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
