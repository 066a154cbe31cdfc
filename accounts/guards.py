"""Who may change accounts, and that nobody gives or takes over more than they may do themselves."""

from collections.abc import Iterable

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission, User
from django.db.models import Q, QuerySet

from core.errors import Conflict, Forbidden, InvalidInput

VIEW_ACCOUNTS = "auth.view_user"
ADD_ACCOUNTS = "auth.add_user"
CHANGE_ACCOUNTS = "auth.change_user"
"""Anyone who manages people manages API clients and keys too: they are accounts as well."""

MAX_LIVE_KEYS = 2
"""One in use and one that replaces it, so that a system can change its key without a gap."""


class RoleOutOfReach(Forbidden):
    """Somebody wanted to give a system a role that may do more than they may."""

    def __init__(self) -> None:
        text = "This role may do more than you may. Ask somebody whose own groups allow all of it."
        super().__init__({"role": text})


class ClientOutOfReach(Forbidden):
    """Somebody wanted to use a system that may do more than they may."""

    def __init__(self) -> None:
        super().__init__("This client may do more than you may. Ask somebody whose own groups allow all of it.")


class NameTaken(InvalidInput):
    field = "name"

    def __init__(self) -> None:
        text = "Another client has this name. Evidence names clients, so a name is used once."
        super().__init__(text)


class ClientOff(Conflict):
    def __init__(self) -> None:
        super().__init__("The client is turned off. Turn it on first.")


class TooManyKeys(Conflict):
    def __init__(self) -> None:
        super().__init__(
            f"The client has {MAX_LIVE_KEYS} valid keys. Revoke the one that is no longer used, then make a new one."
        )


class AlreadyRevoked(Conflict):
    def __init__(self) -> None:
        super().__init__("The key was revoked before.")


def may_give(giver: User | AbstractBaseUser | AnonymousUser, permissions: Iterable[Permission]) -> bool:
    """Whether someone has everything that these permissions allow."""
    if not isinstance(giver, User):
        return False
    held = giver.get_all_permissions()
    return giver.is_superuser or all(_name_of(permission) in held for permission in permissions)


def may_do_all_of(person: User, account: User) -> bool:
    """Whether someone may do whatever an account may, or could once it is switched on again."""
    if person.is_superuser or account.is_superuser:
        return person.is_superuser
    given = Permission.objects.filter(Q(user=account) | Q(group__user=account)).select_related("content_type")
    return may_give(person, given)


def groups_to_give(giver: User | AbstractBaseUser | AnonymousUser) -> QuerySet[Group]:
    groups = Group.objects.prefetch_related("permissions__content_type")
    return Group.objects.filter(pk__in=[each.pk for each in groups if may_give(giver, each.permissions.all())])


def permissions_to_give(giver: User | AbstractBaseUser | AnonymousUser) -> QuerySet[Permission]:
    found = Permission.objects.select_related("content_type")
    return found.filter(pk__in=[each.pk for each in found if may_give(giver, [each])])


def _name_of(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
