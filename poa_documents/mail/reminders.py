"""
When a customer who has not signed is reminded: one pure function over what is known of the invitation.

It looks at what was sent last, never at what should have been: after two weeks without a worker one reminder is due,
not two.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.dates import CHICAGO
from poa_documents.states import PoaStatus

AFTER_A_VISIT = timedelta(days=1)
"""Whoever was on the pages lately knows of them; and a reminder's new link would end the visit."""
WORTH_REMINDING = timedelta(days=1)
"""A reminder that leaves less time to sign than this only annoys."""


@dataclass(frozen=True)
class ReminderPolicy:
    """The office's numbers. Hours are Chicago's; the last one is the hour at which sending stops."""

    first_after: timedelta
    every: timedelta
    most: int
    from_hour: int = 9
    until_hour: int = 19


@dataclass(frozen=True)
class Invitation:
    """
    What is known of an invitation to sign.

    `reminders` counts those since the newest invitation; `last_sent_at` is the newest of invitation and reminders, one
    of which nobody knows whether it was sent included. `is_mail_waiting` means that one of them is owed and not sent.
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
    """Give the first instant at which the next reminder may be sent; None when there is none to come."""
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
        wanted = max(wanted, invitation.last_visit_at + AFTER_A_VISIT)
    at = next_decent_hour(wanted, policy)
    return at if at <= invitation.expires_at - WORTH_REMINDING else None


def is_reminder_due(invitation: Invitation, now: datetime, policy: ReminderPolicy) -> bool:
    """Whether a reminder is to be sent at this instant."""
    due_at = reminder_due_at(invitation, policy)
    if due_at is None or invitation.expires_at is None:
        return False
    is_in_time = due_at <= now <= invitation.expires_at - WORTH_REMINDING
    return is_in_time and next_decent_hour(now, policy) == now


def next_decent_hour(at: datetime, policy: ReminderPolicy) -> datetime:
    """Give `at` itself when people may be written to then, else the next such instant."""
    local = at.astimezone(CHICAGO)
    if policy.from_hour <= local.hour < policy.until_hour:
        return at
    day = local.date() if local.hour < policy.from_hour else local.date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, policy.from_hour, tzinfo=CHICAGO).astimezone(at.tzinfo)
