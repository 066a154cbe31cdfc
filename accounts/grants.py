"""Permissions to manage accounts. Nobody can grant or take over permissions that they do not have."""

from collections.abc import Iterable

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission
from django.db.models import Q, QuerySet

from accounts.models import User
from core.errors import Conflict, Forbidden, InvalidInput

VIEW_ACCOUNTS = "accounts.view_user"
ADD_ACCOUNTS = "accounts.add_user"
CHANGE_ACCOUNTS = "accounts.change_user"
"""People who manage users also manage API clients and keys."""

MAX_LIVE_KEYS = 2
"""One in use and one to replace it, so that a client can switch keys without an interruption."""


class RoleExceedsOwnPermissions(Forbidden):
    """The role has permissions that the person granting it does not have."""

    def __init__(self) -> None:
        text = "This role has permissions that you do not have. Ask someone who has all of them."
        super().__init__({"role": text})


class ClientExceedsOwnPermissions(Forbidden):
    """The client has permissions that the person changing it does not have."""

    def __init__(self) -> None:
        super().__init__("This client has permissions that you do not have. Ask someone who has all of them.")


class ClientNameTaken(InvalidInput):
    field = "name"

    def __init__(self) -> None:
        text = "Another client already has this name. Choose a different one."
        super().__init__(text)


class ClientTurnedOff(Conflict):
    def __init__(self) -> None:
        super().__init__("The client is turned off. Turn it on first.")


class TooManyKeys(Conflict):
    def __init__(self) -> None:
        super().__init__(
            f"The client already has {MAX_LIVE_KEYS} valid keys. Revoke one that is not used, then create a new key."
        )


class KeyAlreadyRevoked(Conflict):
    def __init__(self) -> None:
        super().__init__("The key is already revoked.")


def can_grant(granter: User | AbstractBaseUser | AnonymousUser, permissions: Iterable[Permission]) -> bool:
    """Whether someone has all of these permissions, and so may grant them."""
    if not isinstance(granter, User):
        return False
    held = granter.get_all_permissions()
    return granter.is_superuser or all(_name_of(permission) in held for permission in permissions)


def has_all_permissions_of(person: User, account: User) -> bool:
    """Whether someone has every permission of an account, including those it would have if reactivated."""
    if person.is_superuser or account.is_superuser:
        return person.is_superuser
    given = Permission.objects.filter(Q(user=account) | Q(group__user=account)).select_related("content_type")
    return can_grant(person, given)


def grantable_groups(granter: User | AbstractBaseUser | AnonymousUser) -> QuerySet[Group]:
    groups = Group.objects.prefetch_related("permissions__content_type")
    return Group.objects.filter(pk__in=[each.pk for each in groups if can_grant(granter, each.permissions.all())])


def grantable_permissions(granter: User | AbstractBaseUser | AnonymousUser) -> QuerySet[Permission]:
    found = Permission.objects.select_related("content_type")
    return found.filter(pk__in=[each.pk for each in found if can_grant(granter, [each])])


def _name_of(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
