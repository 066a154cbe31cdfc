"""
The case that a transaction works on: its locked rows and its facts.

A transaction locks its case once, with `lock_case`, and hands the value to everything that acts in it. No helper reads
the enrollment, its POA or the facts again.
"""

from dataclasses import dataclass
from functools import cached_property

from enrollments.decision.facts import Facts
from enrollments.engine.gathering import gather, governing_poa
from enrollments.models import Enrollment
from poa_documents.models import PoaDocument


@dataclass(frozen=True, eq=False)
class LockedCase:
    """An enrollment and the POA that governs it, locked until the transaction ends, and the facts read under lock."""

    enrollment: Enrollment
    poa: PoaDocument | None

    @cached_property
    def facts(self) -> Facts:
        """The facts, read at first use and again after anything was recorded: see `forget_facts`."""
        return gather(self.enrollment, self.poa)

    def forget_facts(self) -> None:
        """Have the facts read again. Every move and every note calls this, because it changes them."""
        self.__dict__.pop("facts", None)

    @property
    def known_poa(self) -> PoaDocument:
        """The POA, for steps that are decided only under an authority."""
        assert self.poa is not None  # noqa: S101 - the authority gate was checked first
        return self.poa

    def under_accepted_poa(self, poa_id: int) -> "LockedCase":
        """Return the case under the POA of its acceptance, which governs it even if another was signed since."""
        if self.poa is not None and self.poa.pk == poa_id:
            return self
        return with_locked_poa(self.enrollment)


def lock_case(enrollment_id: int) -> LockedCase:
    """
    Lock an enrollment and the POA that governs it until the surrounding transaction ends.

    Always in this order. With both locked, a revocation is either seen here or comes after the transaction.
    """
    enrollment = (
        Enrollment.objects.select_for_update(of=("self",)).select_related("site", "customer").get(pk=enrollment_id)
    )
    return with_locked_poa(enrollment)


def with_locked_poa(enrollment: Enrollment) -> LockedCase:
    """Return the case of an enrollment that this transaction has locked or created already, and lock its POA too."""
    return LockedCase(enrollment, governing_poa(enrollment, is_locked=True))
