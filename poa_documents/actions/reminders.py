"""Reminding customers who have not signed: facts are gathered here, and `mail.reminders` decides."""

from datetime import datetime, timedelta

from django.db.models import Max

from core.actors import SYSTEM
from core.company_rules import current_rules
from core.transactions import repeatable
from installations.models import Installation
from installations.states import InstallationStatus
from poa_documents.actions.drafts import schedule_mail
from poa_documents.authority_check import why_stopped
from poa_documents.journal import chain
from poa_documents.mail import reminders
from poa_documents.mail.reminders import Invitation, ReminderPolicy
from poa_documents.models import SIGNING_MAILS, CustomerMail, MailKind, PoaDocument
from poa_documents.moves import lock
from poa_documents.queries import failure_of, last_visit
from poa_documents.states import PoaStatus


def configured_policy() -> ReminderPolicy:
    rules = current_rules()
    return ReminderPolicy(
        first_after=timedelta(days=rules.reminder_first_days),
        every=timedelta(days=rules.reminder_every_days),
        most=rules.max_reminders,
        from_hour=rules.reminder_from_hour,
        until_hour=rules.reminder_until_hour,
    )


@repeatable
def consider_reminder(*, poa_id: int, at: datetime) -> CustomerMail | None:
    """
    Schedule a reminder if one is due, and set when to check again. A repeat schedules no second one.

    If several were missed, the next is counted from the last mail that was sent.
    """
    poa = lock(poa_id)
    policy = configured_policy()
    invitation = invitation_of(poa)
    if not reminders.is_reminder_due(invitation, at, policy):
        due_at = reminders.reminder_due_at(invitation, policy)
        poa.remind_at = None if due_at is None else max(due_at, reminders.next_sending_hour(at, policy))
        poa.save(update_fields=["remind_at"])
        return None
    poa.remind_at = None  # sending it sets the next one
    poa.save(update_fields=["remind_at"])
    invitation_id = _newest_invitation(poa)
    number = poa.mails.filter(kind=MailKind.REMINDER, pk__gt=invitation_id).count() + 1
    chain.record(poa, kind="remind", by=SYSTEM, at=at, details={"number": number})
    return schedule_mail(poa, MailKind.REMINDER, at=at, once_key=f"reminder:{invitation_id}:{number}")


def is_still_wanted(mail: CustomerMail, poa: PoaDocument, *, at: datetime) -> bool:
    """Whether a scheduled reminder is still due. The time of day does not matter: it waits until the morning."""
    due_at = reminders.reminder_due_at(invitation_of(poa, excluding=mail), configured_policy())
    expires_at = poa.token_expires_at
    return due_at is not None and due_at <= at and expires_at is not None and at <= expires_at


def next_check_after(mail: CustomerMail, *, at: datetime) -> datetime:
    """Return when to check for the next reminder after this invitation or reminder was sent."""
    policy = configured_policy()
    return at + (policy.every if mail.kind == MailKind.REMINDER else policy.first_after)


def invitation_of(poa: PoaDocument, *, excluding: CustomerMail | None = None) -> Invitation:
    """Gather the facts of an invitation, without the mail that is being checked."""
    since = [mail for mail in _since_invitation(poa) if excluding is None or mail.pk != excluding.pk]
    went_out = [moment for mail in since if (moment := mail.sent_at or mail.tried_at) and not _is_waiting(mail)]
    invited = [mail for mail in since if mail.kind == MailKind.INVITATION]
    return Invitation(
        status=PoaStatus(poa.status),
        invited_at=invited[0].sent_at or invited[0].tried_at if invited else poa.sent_at,
        reminders=sum(mail.kind == MailKind.REMINDER and mail.tried_at is not None for mail in since),
        last_sent_at=max(went_out, default=None),
        expires_at=poa.token_expires_at,
        last_visit_at=last_visit(poa),
        is_mail_waiting=any(_is_waiting(mail) for mail in since),
        is_address_failing=failure_of(poa.customer) is not None,
        wants_paper=poa.paper_wanted_at is not None,
        is_job_off=bool(why_stopped(poa.customer_id))
        or not Installation.objects.filter(customer_id=poa.customer_id, site_id=poa.site_id)
        .exclude(status=InstallationStatus.CANCELLED)
        .exists(),
    )


def _is_waiting(mail: CustomerMail) -> bool:
    return mail.sent_at is None and (mail.due_at is not None or mail.held_since is not None)


def _newest_invitation(poa: PoaDocument) -> int:
    newest: int | None = poa.mails.filter(kind=MailKind.INVITATION).aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def _since_invitation(poa: PoaDocument) -> list[CustomerMail]:
    mails = poa.mails.filter(kind__in=sorted(SIGNING_MAILS), pk__gte=_newest_invitation(poa))
    return list(mails.filter(not_needed_at__isnull=True).order_by("pk"))
