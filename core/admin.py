"""People and their groups, in the admin's own skin, and what staff did there."""

from collections.abc import Iterable
from typing import Any

import allauth.account.admin
import allauth.mfa.admin  # noqa: F401 - registers what is taken away again below
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework.authtoken import admin as _token_pages  # noqa: F401 - registers what is taken away below
from rest_framework.authtoken.models import TokenProxy

from core.admin_site import (
    AdminPasswordChangeForm,
    ModelAdmin,
    RecordAdmin,
    UserChangeForm,
    UserCreationForm,
)

admin.site.unregister(User)
admin.site.unregister(Group)
# Secrets are nobody's to look at; `manage.py reset_second_factor` takes one away.
admin.site.unregister(Authenticator)
admin.site.unregister(EmailAddress)
admin.site.unregister(TokenProxy)  # its pages show live keys; `drf_create_token --reset` replaces one


def _may_give(request: HttpRequest, permissions: Iterable[Permission]) -> bool:
    """Whether someone has everything that these permissions allow: nobody gives, or takes over, more than they have."""
    held = request.user.get_all_permissions()
    return request.user.is_superuser or all(_name_of(permission) in held for permission in permissions)


def _name_of(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def _groups_to_give(request: HttpRequest) -> QuerySet[Group]:
    groups = Group.objects.prefetch_related("permissions__content_type")
    return Group.objects.filter(pk__in=[each.pk for each in groups if _may_give(request, each.permissions.all())])


def _permissions_to_give(request: HttpRequest) -> QuerySet[Permission]:
    found = Permission.objects.select_related("content_type")
    return found.filter(pk__in=[each.pk for each in found if _may_give(request, [each])])


@admin.register(User)
class UserAdmin(PlainUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]  # the skin ships no types
    """
    People who sign in. Only superusers make superusers and give single permissions.

    Anyone else who may change people gives the groups whose permissions they all have themselves, and neither changes
    nor gives a new password to a person who may do more than they may.
    """

    list_display = ("username", "first_name", "last_name", "is_active", "is_staff", "last_login")
    list_filter = ("is_staff", "is_active", "groups")
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        fixed = tuple(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else (*fixed, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if not super().has_change_permission(request, obj):
            return False
        if obj is None or request.user.is_superuser:
            return True
        return not obj.is_superuser and obj.get_all_permissions() <= request.user.get_all_permissions()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["queryset"] = _groups_to_give(request)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_delete_permission(self, _request: object, _person: object = None) -> bool:
        """People are switched off, not deleted: what they did names them."""
        return False


@admin.register(Group)
class GroupAdmin(PlainGroupAdmin, ModelAdmin):  # type: ignore[misc]  # the skin ships no types
    """What a group may do is changed by people who may do all of it themselves."""

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_within_reach(request, obj)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        if request is not None and db_field.name == "permissions":
            kwargs["queryset"] = _permissions_to_give(request)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @staticmethod
    def _is_within_reach(request: HttpRequest, group: Group | None) -> bool:
        return group is None or _may_give(request, group.permissions.select_related("content_type"))


@admin.register(LogEntry)
class LogEntryAdmin(RecordAdmin):
    list_display = ("action_time", "user", "content_type", "object_repr", "change_message")
    list_filter = ("action_time", "content_type", "user")
    search_fields = ("object_repr", "change_message")
    list_select_related = ("user", "content_type")
    date_hierarchy = "action_time"
