"""People and their groups, in the admin's own skin, and what staff did there."""

import allauth.account.admin
import allauth.mfa.admin  # noqa: F401 - registers what is taken away again below
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group, User
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


@admin.register(User)
class UserAdmin(PlainUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]  # the skin ships no types
    list_display = ("username", "first_name", "last_name", "is_active", "is_staff", "last_login")
    list_filter = ("is_staff", "is_active", "groups")
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def has_delete_permission(self, _request: object, _person: object = None) -> bool:
        """People are switched off, not deleted: what they did names them."""
        return False


@admin.register(Group)
class GroupAdmin(PlainGroupAdmin, ModelAdmin):  # type: ignore[misc]  # the skin ships no types
    pass


@admin.register(LogEntry)
class LogEntryAdmin(RecordAdmin):
    list_display = ("action_time", "user", "content_type", "object_repr", "change_message")
    list_filter = ("action_time", "content_type", "user")
    search_fields = ("object_repr", "change_message")
    list_select_related = ("user", "content_type")
    date_hierarchy = "action_time"
