"""The table of an enrollment's moves, checked state by state."""

import itertools

import pytest

from core.moves import MoveNotAllowed, find_move
from enrollments.states import FINAL_STATUSES, MOVES, EnrollmentStatus

ACCEPTED_FROM = {EnrollmentStatus.ACCEPTING, EnrollmentStatus.IN_DOUBT, EnrollmentStatus.OPEN}


@pytest.mark.parametrize(("status", "name"), list(itertools.product(EnrollmentStatus, MOVES)))
def test_every_move_is_allowed_only_from_its_sources(status: EnrollmentStatus, name: str) -> None:
    if status in MOVES[name].sources:
        assert find_move(MOVES, name, subject="Enrollment 1", status=status).target in EnrollmentStatus
    else:
        with pytest.raises(MoveNotAllowed, match=status):
            find_move(MOVES, name, subject="Enrollment 1", status=status)


def test_final_status_has_no_moves() -> None:
    assert [name for name, move in MOVES.items() if move.sources & FINAL_STATUSES] == []


def test_nothing_undoes_an_acceptance() -> None:
    settled = {EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED, EnrollmentStatus.ACTIVE}
    before = {EnrollmentStatus.OPEN, EnrollmentStatus.ACCEPTING, EnrollmentStatus.IN_DOUBT}

    assert [name for name, move in MOVES.items() if move.sources & settled and move.target in before] == []


def test_only_a_held_acceptance_makes_a_plan_accepted() -> None:
    leading = {name: move.sources for name, move in MOVES.items() if move.target == EnrollmentStatus.ACCEPTED}

    assert set(leading) == {"confirm", "confirm_late"}
    assert set().union(*leading.values()) == ACCEPTED_FROM
