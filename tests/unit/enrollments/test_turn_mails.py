"""When customers are told that it is their turn at Light: soon, in the daytime, rarely, and not forever."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.dates import CHICAGO
from enrollments.customer_home.turn_mails import DELAY_AFTER_VISIT, TurnMails, is_mail_due, next_mail_due_at
from poa_documents.mail.reminders import PAUSE_AFTER_VISIT, ReminderPolicy

NOON = datetime(2026, 3, 5, 18, 0, tzinfo=UTC)
POLICY = ReminderPolicy(first_after=timedelta(days=3), every=timedelta(days=7), most=2)
NOTHING_SENT = TurnMails(sent=0, last_sent_at=None, last_visit_at=None)
TOLD_ONCE = TurnMails(sent=1, last_sent_at=NOON, last_visit_at=None)


def test_customer_is_told_immediately() -> None:
    assert is_mail_due(NOTHING_SENT, NOON, POLICY)


def test_visitor_gets_no_mail_within_the_hour() -> None:
    here = replace(NOTHING_SENT, last_visit_at=NOON)

    assert not is_mail_due(here, NOON, POLICY)
    assert is_mail_due(here, NOON + DELAY_AFTER_VISIT, POLICY)


def test_no_mail_is_sent_at_night() -> None:
    night = datetime(2026, 3, 5, 23, 0, tzinfo=CHICAGO)

    assert next_mail_due_at(NOTHING_SENT, night, POLICY) == datetime(2026, 3, 6, 9, 0, tzinfo=CHICAGO)


def test_only_one_mail_is_owed_at_a_time() -> None:
    assert next_mail_due_at(replace(NOTHING_SENT, is_one_waiting=True), NOON, POLICY) is None


def test_reminders_are_spaced_and_limited() -> None:
    reminded = replace(TOLD_ONCE, sent=2)

    assert next_mail_due_at(TOLD_ONCE, NOON, POLICY) == NOON + POLICY.first_after
    assert next_mail_due_at(reminded, NOON, POLICY) == NOON + POLICY.every
    assert next_mail_due_at(replace(reminded, sent=3), NOON, POLICY) is None


def test_visit_postpones_the_reminder() -> None:
    visit = NOON + POLICY.first_after - timedelta(hours=1)

    assert next_mail_due_at(replace(TOLD_ONCE, last_visit_at=visit), NOON, POLICY) == visit + PAUSE_AFTER_VISIT


def test_office_may_turn_reminders_off() -> None:
    none = replace(POLICY, first_after=timedelta(0))

    assert next_mail_due_at(TOLD_ONCE, NOON, none) is None
    assert is_mail_due(NOTHING_SENT, NOON, none)
