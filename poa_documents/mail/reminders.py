"""
Decides when a customer who has not signed is reminded. Pure.

It looks at what was sent last, not at what should have been sent. After two weeks without a worker one reminder is due,
not two.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.dates import CHICAGO
from poa_documents.states import PoaStatus

PAUSE_AFTER_VISIT = timedelta(days=1)
"""A recent visitor needs no reminder, and its new link would end the visit."""
MIN_TIME_LEFT = timedelta(days=1)
"""No reminder is sent with less time than this left to sign."""


@dataclass(frozen=True)
class ReminderPolicy:
    """The office's settings. Hours are Chicago time; sending stops at `until_hour`."""

    first_after: timedelta
    every: timedelta
    most: int
    from_hour: int = 9
    until_hour: int = 19


@dataclass(frozen=True)
class Invitation:
    """
    The facts about an invitation to sign.

    `reminders` counts those since the newest invitation. `last_sent_at` is the newest of the invitation and reminders,
    including one that may not have been sent. `is_mail_waiting`: one of them is still to be sent.
    """

    status: PoaStatus
    invited_at: datetime | None
    reminders: int
    last_sent_at: datetime | None
    expires_at: datetime | None
    last_visit_at: datetime | None = None
    is_mail_waiting: bool = False
    is_address_failing: bool = False
    is_job_off: bool = False
    wants_paper: bool = False


def reminder_due_at(invitation: Invitation, policy: ReminderPolicy) -> datetime | None:
    """Return when the next reminder may be sent; None if there will be none."""
    if invitation.status != PoaStatus.SENT or invitation.is_job_off or invitation.is_address_failing:
        return None
    if invitation.wants_paper:
        return None
    if invitation.invited_at is None or invitation.last_sent_at is None or invitation.expires_at is None:
        return None
    if invitation.is_mail_waiting or not policy.first_after or invitation.reminders >= policy.most:
        return None
    wanted = invitation.last_sent_at + (policy.every if invitation.reminders else policy.first_after)
    if invitation.last_visit_at is not None:
        wanted = max(wanted, invitation.last_visit_at + PAUSE_AFTER_VISIT)
    at = next_sending_hour(wanted, policy)
    return at if at <= invitation.expires_at - MIN_TIME_LEFT else None


def is_reminder_due(invitation: Invitation, now: datetime, policy: ReminderPolicy) -> bool:
    due_at = reminder_due_at(invitation, policy)
    if due_at is None or invitation.expires_at is None:
        return False
    is_in_time = due_at <= now <= invitation.expires_at - MIN_TIME_LEFT
    return is_in_time and next_sending_hour(now, policy) == now


def next_sending_hour(at: datetime, policy: ReminderPolicy) -> datetime:
    """Return `at` if mail may be sent then, else the next instant when it may."""
    local = at.astimezone(CHICAGO)
    if policy.from_hour <= local.hour < policy.until_hour:
        return at
    day = local.date() if local.hour < policy.from_hour else local.date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, policy.from_hour, tzinfo=CHICAGO).astimezone(at.tzinfo)
