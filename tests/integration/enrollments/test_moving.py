"""The only writer of an enrollment's status follows the table of moves."""

import itertools

import pytest

from core.actors import SYSTEM
from core.moves import MoveNotAllowed
from enrollments.actions.moves import take_move
from enrollments.engine.locked_case import lock_case
from enrollments.models import Enrollment
from enrollments.states import MOVES, EnrollmentStatus
from tests.factories.cases import case
from tests.factories.installations import AT


def test_move_not_in_the_table_changes_nothing(db: None) -> None:
    pk = case().pk
    before = Enrollment.objects.get(pk=pk)
    events = before.events.count()

    for status, (name, move) in itertools.product(EnrollmentStatus, MOVES.items()):
        if status in move.sources:
            continue
        locked = lock_case(pk)
        locked.enrollment.status = status
        with pytest.raises(MoveNotAllowed):
            take_move(locked, name, by=SYSTEM, at=AT)

    after = Enrollment.objects.get(pk=pk)
    assert (after.status, after.events.count()) == (before.status, events)
