"""
When customers are told that it is their turn at Light, and how often they are reminded. Pure.

The settings are those of the reminders to sign. The interval counts from the last mail sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from poa_documents.mail.reminders import PAUSE_AFTER_VISIT, ReminderPolicy, next_sending_hour

DELAY_AFTER_VISIT = timedelta(hours=1)
"""A customer who just visited the page already saw that it is their turn."""


@dataclass(frozen=True)
class TurnMails:
    """
    The mails about one turn of the customer.

    `sent` includes the first one. `is_one_waiting`: one is due and neither sent nor given up.
    """

    sent: int
    last_sent_at: datetime | None
    last_visit_at: datetime | None
    is_one_waiting: bool = False


def next_mail_due_at(mails: TurnMails, turn_seen_at: datetime, policy: ReminderPolicy) -> datetime | None:
    """Return the first instant at which the next mail is due, or None if there will be none."""
    if mails.is_one_waiting:
        return None
    if mails.last_sent_at is None:
        visit = mails.last_visit_at
        wanted = max(turn_seen_at, visit + DELAY_AFTER_VISIT) if visit else turn_seen_at
        return next_sending_hour(wanted, policy)
    reminders = mails.sent - 1
    if not policy.first_after or reminders >= policy.most:
        return None
    wanted = mails.last_sent_at + (policy.every if reminders else policy.first_after)
    if mails.last_visit_at is not None:
        wanted = max(wanted, mails.last_visit_at + PAUSE_AFTER_VISIT)
    return next_sending_hour(wanted, policy)


def is_mail_due(mails: TurnMails, now: datetime, policy: ReminderPolicy) -> bool:
    """Whether a mail to the customer is due now."""
    due_at = next_mail_due_at(mails, now, policy)
    return due_at is not None and due_at <= now
