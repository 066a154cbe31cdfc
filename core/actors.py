"""Who acted. Every move, write and record names its actor; logs carry the reference, never a name."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
    def staff(cls, user_id: int) -> "Actor":
        return cls(ActorKind.STAFF, str(user_id))

    @classmethod
    def technician(cls, user_id: int) -> "Actor":
        return cls(ActorKind.TECHNICIAN, str(user_id))

    @classmethod
    def customer(cls, customer_id: int) -> "Actor":
        return cls(ActorKind.CUSTOMER, str(customer_id))

    @classmethod
    def client_system(cls, user_id: int) -> "Actor":
        """Another system of the installer's, signed in to the REST API with a token."""
        return cls(ActorKind.CLIENT_SYSTEM, str(user_id))


LIGHT = Actor(ActorKind.LIGHT)
SYSTEM = Actor(ActorKind.SYSTEM)
OPERATOR = Actor(ActorKind.SYSTEM, "operator")
"""Whoever may run commands where the processes run."""


class ActorField(models.CharField):  # type: ignore[type-arg]
    """Who did what a record is about, as `str(Actor)`. The admin shows it as a name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": 60, **kwargs})

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Be a column of text to migrations."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs
