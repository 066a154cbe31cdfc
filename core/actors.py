"""Who acted. Every move, write and record names its actor; logs carry the reference, never a name."""

from dataclasses import dataclass
from enum import StrEnum


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
