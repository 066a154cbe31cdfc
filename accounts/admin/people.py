"""Users and groups."""

from typing import Any

import allauth.account.admin
import allauth.mfa.admin  # noqa: F401 - registers what is taken away again below
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from accounts.api_client_actions import revoke_personal_keys
from accounts.grants import can_grant, grantable_groups, grantable_permissions, has_all_permissions_of
from accounts.models import User
from core.actors import SERVICE_ACCOUNT_MARK
from core.admin.buttons import staff
from core.admin.links import record_url
from core.admin.records import PublicIdAdmin
from core.admin.unfold_imports import AdminPasswordChangeForm, ModelAdmin, UserChangeForm, UserCreationForm

admin.site.unregister(Group)
# Nobody may see these secrets. `manage.py reset_second_factor` removes one.
admin.site.unregister(Authenticator)
admin.site.unregister(EmailAddress)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, PublicIdAdmin):  # type: ignore[misc, type-arg]  # the skin ships no types
    """
    People who sign in. Only superusers can create superusers and grant single permissions.

    Others who may change users can grant only groups whose permissions they have themselves. They cannot change, or set
    a password for, a person with more permissions. API clients' accounts are not listed.
    """

    list_display = ("username", "first_name", "last_name", "is_active", "is_staff", "last_login")
    list_filter = ("is_staff", "is_active", "groups")
    filter_horizontal = ()  # its filter fields carry labels that screen readers ignore
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people: QuerySet[User] = super().get_queryset(request)
        return people.exclude(username__startswith=SERVICE_ACCOUNT_MARK)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        fixed = tuple(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else (*fixed, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if not super().has_change_permission(request, obj):
            return False
        return obj is None or (isinstance(request.user, User) and has_all_permissions_of(request.user, obj))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs |= {"queryset": grantable_groups(request.user), "widget": CheckboxSelectMultiple}
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_delete_permission(self, _request: object, _person: object = None) -> bool:
        """Users are deactivated, not deleted, because records refer to them."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001 - as in Django
        super().save_model(request, obj, form, change)
        if not obj.is_active or not obj.is_staff:
            revoke_personal_keys(obj, by=staff(request), at=timezone.now())

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - as in Django
        """Also revoke a person's keys when their password is disabled, because Django notifies no validator then."""
        response: HttpResponse = super().user_change_password(request, id, form_url)
        person = self.get_object(request, id) if request.method == "POST" else None
        if person is not None and not person.has_usable_password():
            revoke_personal_keys(person, by=staff(request), at=timezone.now())
        if person is not None and isinstance(response, HttpResponseRedirect):
            return HttpResponseRedirect(record_url(person))  # Django's has the primary key
        return response


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]  # the skin ships no types
    """A group can be changed only by people who have all of its permissions."""

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._can_grant_all_of(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._can_grant_all_of(request, obj)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        if request is not None and db_field.name == "permissions":
            kwargs["queryset"] = grantable_permissions(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @staticmethod
    def _can_grant_all_of(request: HttpRequest, group: Group | None) -> bool:
        return group is None or can_grant(request.user, group.permissions.select_related("content_type"))
