"""Texts, colors and dates of the screens."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from core.staff_formats import age
from enrollments import presenters
from enrollments.decision.gates import Gate, GateName
from enrollments.decision.steps import AcceptPlan, Finished, Hold, RequestPlans, Wait, Waiting
from enrollments.queries import CaseCount, QueueChoice, QueuePart
from enrollments.states import HoldCode, HoldOwner

NOW = datetime(2026, 3, 5, 16, 0, tzinfo=UTC)
WAIT = Wait(until=None, code=Waiting.GO_LIVE, because="Not reported yet.", whose_turn=HoldOwner.TECHNICIAN)


@pytest.mark.parametrize("code", HoldCode.values)
def test_every_hold_code_has_text(code: str) -> None:
    assert presenters.reason_label(code) == HoldCode(code).label


@pytest.mark.parametrize("code", list(Waiting))
def test_every_kind_of_waiting_has_its_own_text(code: Waiting) -> None:
    assert code in presenters.WAITING_LABELS


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ("READACCOUNT", "Read the account at Light"),
        ("HOLD", "Blocked"),
        ("", "Not decided yet"),
        ("NEW_THING", "New thing"),
    ],
)
def test_stored_step_has_text_even_if_unknown(stored: str, words: str) -> None:
    assert presenters.reason_label(stored) == words


def test_wait_for_someone_names_whose_turn_it_is() -> None:
    view = presenters.next_step_view(WAIT, due_at=None, now=NOW)

    assert view.whose_turn == "Technician"
    assert view.when == "When someone acts"
    assert not view.needs_person


def test_timed_wait_shows_chicago_time_and_duration() -> None:
    wait = replace(WAIT, until=NOW + timedelta(hours=3), whose_turn=None)

    view = presenters.next_step_view(wait, due_at=None, now=NOW)

    assert view.when == "Mar 5, 2026, 1:00 PM (in 3 hours)"
    assert view.whose_turn == "No one; it continues automatically"


def test_hold_says_a_person_is_needed_and_by_when() -> None:
    hold = Hold(HoldCode.OUTSIDE_LIMITS, HoldOwner.OFFICE, because="Too dear.", act_by=date(2026, 3, 20))

    view = presenters.next_step_view(hold, due_at=None, now=NOW)

    assert view.needs_person
    assert view.label == "Needs attention: No offer within the signed limits"
    assert view.act_by == "Mar 20, 2026"


def test_acceptance_names_its_start() -> None:
    step = AcceptPlan(1, 2, date(2026, 3, 13), because="It fits.")

    assert presenters.step_label(step) == "Accept the plan with service from Mar 13, 2026"


def test_work_that_is_due_is_due_now() -> None:
    assert presenters.next_step_view(RequestPlans(because="Due."), due_at=NOW, now=NOW).when == "Now"
    assert presenters.next_step_view(Finished(because="Done."), due_at=None, now=NOW).when == "—"


def test_gate_text_matches_its_color() -> None:
    shut = Gate(GateName.GO_LIVE, because=WAIT.because, blocked_by=WAIT)
    opened = Gate(GateName.AUTHORITY, because="Signed.")

    views = presenters.gate_views([opened, shut])

    assert [(view.label, view.state, view.mark) for view in views] == [
        ("Authority", "open", "✓"),
        ("Go-live", "closed", "✕"),
    ]


def test_reasons_are_counted_within_the_chosen_part_and_owner() -> None:
    counts = [
        CaseCount(QueuePart.HELD, "NO_PLANS", "OFFICE", 3),
        CaseCount(QueuePart.HELD, "NOT_AUTHORIZED", "OPERATIONS", 2),
        CaseCount(QueuePart.WAITING, "GO_LIVE", "TECHNICIAN", 9),
    ]

    tabs = presenters.reason_tabs(counts, QueueChoice(QueuePart.HELD, owner="OFFICE"))

    assert [(tab.label, tab.cases) for tab in tabs] == [("All reasons", 3), ("Light offers no plan", 3)]


def test_parts_are_counted_regardless_of_the_choice() -> None:
    counts = [CaseCount(QueuePart.HELD, "NO_PLANS", "OFFICE", 3), CaseCount(QueuePart.RUNNING, "X", "", 4)]

    tabs = presenters.part_tabs(counts, QueueChoice())

    assert [tab.cases for tab in tabs] == [3, 0, 4]
    assert [tab.is_current for tab in tabs] == [True, False, False]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=20), "under a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=23, minutes=59), "23 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=40), "40 days"),
    ],
)
def test_age_is_in_its_largest_unit(length: timedelta, words: str) -> None:
    assert age(NOW - length, NOW) == words
    assert age(NOW, NOW - length) == words
