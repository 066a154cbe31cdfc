"""Who may do what over the API: staff, with the same permissions as in the admin."""

from typing import TYPE_CHECKING

from django.contrib.auth import get_permission_codename
from rest_framework.permissions import SAFE_METHODS, IsAdminUser

if TYPE_CHECKING:  # these modules read the settings that name this one
    from rest_framework.request import Request
    from rest_framework.views import APIView


class AsInTheAdmin(IsAdminUser):
    """Let staff do what their permissions allow in the admin. Where there are no records, being staff is enough."""

    def has_permission(self, request: "Request", view: "APIView") -> bool:
        if not super().has_permission(request, view):
            return False
        records = getattr(view, "get_queryset", None)
        if records is None:
            return True
        opts = records().model._meta
        if request.method in SAFE_METHODS:
            verb = "view"
        else:
            verb = "add" if getattr(view, "action", "") == "create" else "change"
        return bool(request.user.has_perm(f"{opts.app_label}.{get_permission_codename(verb, opts)}"))
