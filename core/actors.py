"""
Who acted. Every move, write and record names its actor; logs carry the reference, never a name.

A reference is the public ID of an account or a customer, so it never means someone else after a restored backup.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import models


class ActorKind(StrEnum):
    STAFF = "STAFF"
    TECHNICIAN = "TECHNICIAN"
    CUSTOMER = "CUSTOMER"
    CLIENT_SYSTEM = "CLIENT_SYSTEM"
    LIGHT = "LIGHT"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True)
class Actor:
    kind: ActorKind
    reference: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value.lower()}:{self.reference}" if self.reference else self.kind.value.lower()

    @classmethod
    def staff(cls, public_id: UUID) -> "Actor":
        return cls(ActorKind.STAFF, str(public_id))

    @classmethod
    def technician(cls, public_id: UUID) -> "Actor":
        return cls(ActorKind.TECHNICIAN, str(public_id))

    @classmethod
    def customer(cls, public_id: UUID) -> "Actor":
        return cls(ActorKind.CUSTOMER, str(public_id))

    @classmethod
    def client_system(cls, public_id: UUID) -> "Actor":
        """Return the actor for a REST API key: one of the installer's other systems, or a person."""
        return cls(ActorKind.CLIENT_SYSTEM, str(public_id))


_PEOPLE = frozenset({ActorKind.STAFF, ActorKind.TECHNICIAN, ActorKind.CLIENT_SYSTEM})
"""Kinds whose reference is an account. One person may act as several of them."""


def is_same_person(one: str, other: str) -> bool:
    """Whether two stored actors are the same account, whichever kind each acted as."""
    kind, _, account = one.partition(":")
    other_kind, _, other_account = other.partition(":")
    are_people = {kind, other_kind} <= {each.value.lower() for each in _PEOPLE}
    return one == other or (are_people and account == other_account)


SERVICE_ACCOUNT_MARK = "system:"
"""Prefix of the username of each API client's account. Forms reject a colon in a person's username."""


def is_service_account(username: str) -> bool:
    return username.strip().casefold().startswith(SERVICE_ACCOUNT_MARK)


LIGHT = Actor(ActorKind.LIGHT)
SYSTEM = Actor(ActorKind.SYSTEM)
OPERATOR = Actor(ActorKind.SYSTEM, "operator")
"""Anyone who can run management commands on the server."""


class ActorField(models.CharField):  # type: ignore[type-arg]
    """Who did what a record is about, as `str(Actor)`. The admin shows it as a name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": 60, **kwargs})

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Migrations see a plain text column."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs
