"""Base class of the pages of API clients and keys, for people who manage users."""

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest

from accounts.grants import CHANGE_ACCOUNTS, VIEW_ACCOUNTS
from accounts.models import User
from core.actors import Actor
from core.admin.records import RecordAdmin


class AccountRecordAdmin(RecordAdmin):
    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(VIEW_ACCOUNTS) or request.user.has_perm(CHANGE_ACCOUNTS)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


def person_of(actor: Actor) -> User:
    """:raises PermissionDenied: the account no longer exists"""
    person = User.objects.filter(public_id=actor.reference).first()
    if person is None:
        raise PermissionDenied
    return person
