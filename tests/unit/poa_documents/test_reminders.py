"""When a customer is reminded: every fact that forbids it, nights, and catching up after an outage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dates import CHICAGO
from poa_documents.mail.reminders import (
    PAUSE_AFTER_VISIT,
    Invitation,
    ReminderPolicy,
    is_reminder_due,
    next_sending_hour,
    reminder_due_at,
)
from poa_documents.states import PoaStatus

INVITED = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
POLICY = ReminderPolicy(first_after=timedelta(days=3), every=timedelta(days=7), most=3)
WAITING = Invitation(
    status=PoaStatus.SENT,
    invited_at=INVITED,
    reminders=0,
    last_sent_at=INVITED,
    expires_at=INVITED + timedelta(days=30),
)

moments = st.integers(0, 270 * 24 * 60).map(
    lambda minutes: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
spans = st.timedeltas(timedelta(0), timedelta(days=40))
policies = st.builds(
    ReminderPolicy,
    first_after=st.integers(0, 20).map(lambda days: timedelta(days=days)),
    every=st.integers(1, 20).map(lambda days: timedelta(days=days)),
    most=st.integers(0, 6),
    from_hour=st.integers(0, 11),
    until_hour=st.integers(12, 24),
)
invitations = st.builds(
    Invitation,
    status=st.sampled_from(PoaStatus),
    invited_at=st.none() | moments,
    reminders=st.integers(0, 6),
    last_sent_at=st.none() | moments,
    expires_at=st.none() | moments,
    last_visit_at=st.none() | moments,
    is_mail_waiting=st.booleans(),
    is_address_failing=st.booleans(),
    is_job_off=st.booleans(),
    wants_paper=st.booleans(),
)


@pytest.mark.parametrize(
    "fact",
    [
        *({"status": status} for status in PoaStatus if status != PoaStatus.SENT),
        {"is_address_failing": True},
        {"is_job_off": True},
        {"wants_paper": True},
        {"is_mail_waiting": True},
        {"reminders": 3},
        {"expires_at": INVITED + timedelta(days=3, hours=12)},
        {"expires_at": None},
        {"invited_at": None},
    ],
)
def test_reminders_stop_once_they_do_not_apply(fact: dict[str, object]) -> None:
    at = INVITED + timedelta(days=3)

    assert is_reminder_due(WAITING, at, POLICY)
    assert not is_reminder_due(replace(WAITING, **fact), at, POLICY)  # type: ignore[arg-type]


@given(invitations, moments, policies)
def test_reminder_needs_an_open_signature_and_daytime(
    invitation: Invitation, now: datetime, policy: ReminderPolicy
) -> None:
    if not is_reminder_due(invitation, now, policy):
        return

    assert invitation.status == PoaStatus.SENT
    assert not any(
        (invitation.is_address_failing, invitation.is_job_off, invitation.is_mail_waiting, invitation.wants_paper)
    )
    assert invitation.reminders < policy.most
    assert invitation.last_sent_at is not None
    assert now - invitation.last_sent_at >= (policy.every if invitation.reminders else policy.first_after)
    assert invitation.last_visit_at is None or now >= invitation.last_visit_at + PAUSE_AFTER_VISIT
    assert invitation.expires_at is not None
    assert now < invitation.expires_at
    assert policy.from_hour <= now.astimezone(CHICAGO).hour < policy.until_hour


@given(invitations, moments, policies)
def test_due_reminder_was_announced(invitation: Invitation, now: datetime, policy: ReminderPolicy) -> None:
    due_at = reminder_due_at(invitation, policy)

    if is_reminder_due(invitation, now, policy):
        assert due_at is not None
        assert due_at <= now
    if due_at is not None:
        assert is_reminder_due(invitation, due_at, policy)


@given(st.lists(spans, max_size=60), policies)
def test_missed_reminders_become_one_and_none_comes_early(gaps: list[timedelta], policy: ReminderPolicy) -> None:
    invitation = replace(WAITING, expires_at=INVITED + timedelta(days=365))
    now, sent = INVITED, [INVITED]
    for gap in gaps:
        now += gap
        for _ in range(3):  # sweeps right after each other
            if is_reminder_due(invitation, now, policy):
                sent.append(now)
                invitation = replace(invitation, reminders=invitation.reminders + 1, last_sent_at=now)

    assert len(sent) - 1 <= policy.most
    waits = [later - earlier for earlier, later in pairwise(sent)]
    assert all(wait >= (policy.every if number else policy.first_after) for number, wait in enumerate(waits))


def test_two_weeks_without_a_worker_send_one_reminder() -> None:
    back = INVITED + timedelta(days=17)
    after = replace(WAITING, reminders=1, last_sent_at=back)

    assert is_reminder_due(WAITING, back, POLICY)
    assert not is_reminder_due(after, back + timedelta(days=6), POLICY)
    assert is_reminder_due(after, back + timedelta(days=7), POLICY)


@pytest.mark.parametrize(
    ("at", "decent"),
    [
        ("2026-03-05 23:30", "2026-03-06 09:00"),
        ("2026-03-05 03:00", "2026-03-05 09:00"),
        ("2026-03-05 09:00", "2026-03-05 09:00"),
        ("2026-03-05 19:00", "2026-03-06 09:00"),
        ("2026-03-07 21:00", "2026-03-08 09:00"),  # the night of the clock change is an hour short
        ("2026-10-31 21:00", "2026-11-01 09:00"),  # and this one an hour long
    ],
)
def test_no_reminder_is_sent_at_night_in_chicago(at: str, decent: str) -> None:
    moment, expected = (datetime.fromisoformat(text).replace(tzinfo=CHICAGO) for text in (at, decent))

    assert next_sending_hour(moment.astimezone(UTC), POLICY) == expected


def test_reminders_can_be_turned_off() -> None:
    at = INVITED + timedelta(days=10)

    assert not is_reminder_due(WAITING, at, replace(POLICY, first_after=timedelta(0)))
    assert not is_reminder_due(WAITING, at, replace(POLICY, most=0))
