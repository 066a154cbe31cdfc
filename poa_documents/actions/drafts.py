"""Drafting a POA, sending the invitation, and voiding it."""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from core.actors import Actor
from core.case_changes import announce_case_change
from core.company_rules import rules_at, sample_values_left
from core.dates import chicago_day, short_date
from core.errors import Conflict, InvalidInput
from core.moves import MoveNotAllowed
from core.queue import TaskName, enqueue_on_commit
from core.transactions import repeatable
from installations.models import Customer, Installation, Language, Site
from installations.states import InstallationStatus
from poa_documents.authority_check import check_not_stopped
from poa_documents.document_text import text_of
from poa_documents.journal import chain
from poa_documents.limited_fields import LIMIT_FIELDS
from poa_documents.limits import check_limits, copy_limits
from poa_documents.links import link_expiry
from poa_documents.models import (
    WORDING_FIELDS,
    CustomerMail,
    Envelope,
    MailKind,
    PlanPromise,
    PoaDocument,
    PoaTemplate,
)
from poa_documents.moves import lock, take_move
from poa_documents.queries import template_for, unsigned_poa_of
from poa_documents.states import PoaStatus

TEXTS_FOLDER = Path(__file__).resolve().parent.parent / "texts"
SUNSET_DAYS = 180
STATUSES_WITH_PAGE = frozenset(
    {
        PoaStatus.SEALING,
        PoaStatus.SIGNED,
        PoaStatus.SUSPENDED,
        PoaStatus.EXHAUSTED,
        PoaStatus.LAPSED,
        PoaStatus.REVOKED,
    }
)
"""The customer's page shows what was signed, and the plan, even after the authority has ended."""


class CompanyNotNamed(Conflict):
    """The wording would name the sample company. Customers must never see that in production."""

    def __init__(self, left: list[str]) -> None:
        super().__init__(
            f"The company rules still have the sample's {', '.join(left)}. Add your own under “Company rules”."
        )


class UnsignedPoaExists(Conflict):
    """A site has one unsigned POA at a time."""

    def __init__(self, first: PoaDocument) -> None:
        super().__init__(
            f"A power of attorney for this site, {first}, is already {first.get_status_display().lower()}. "
            "Resend that one, or void it before you draft another."
        )
        self.first = first


class CustomerNotAtSite(InvalidInput):
    """The customer has no installation at the site, so there is nothing to choose a plan for."""

    field = "site"


class PromiseNotOffered(InvalidInput):
    """The product is no longer sold."""

    field = "promise"


class DatesOutOfOrder(InvalidInput):
    """The start-date range or the sunset date is not possible. `problems` names each field."""


@transaction.atomic
def ensure_templates() -> list[PoaTemplate]:
    """
    Load every version of the wording that ships with the program, in English and Spanish.

    Existing versions stay. Those that no document uses yet are updated.

    :raises WordingInUse: the shipped wording differs from one that a document already uses
    """
    templates: list[PoaTemplate] = []
    for folder in sorted(TEXTS_FOLDER.iterdir(), key=lambda folder: int(folder.name)):
        for language in Language.values:
            words: dict[str, Any] = tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8"))
            fields = {name: value.strip() if isinstance(value, str) else value for name, value in words.items()}
            key = {"version": int(folder.name), "language": language}
            template = PoaTemplate.objects.filter(**key).first() or PoaTemplate(**key)
            if template.pk is None or any(
                getattr(template, name) != fields.get(name, key.get(name)) for name in WORDING_FIELDS
            ):
                for name, value in fields.items():
                    setattr(template, name, value)
                template.save()
            templates.append(template)
    return templates


@repeatable
def draft_poa(
    *,
    customer_id: int,
    site_id: int,
    promise_id: int,
    by: Actor,
    at: datetime,
    earliest_start_date: date | None = None,
    latest_start_date: date | None = None,
    sunset_date: date | None = None,
    uses: int = 1,
) -> PoaDocument:
    """
    Draft a POA: copy the promise's limits into an envelope, and choose the wording in the customer's language.

    By default, the start range is from today to the sunset date. The sunset date is 180 days from today or the latest
    start, whichever is later (Chicago days).

    :raises CustomerStopped: the customer was reported dead or unable to decide
    :raises UnsignedPoaExists: the site has one already
    :raises CustomerNotAtSite: no installation links them
    :raises PromiseNotOffered: the product is no longer sold
    :raises LimitMissing: the promise lacks a limit
    :raises DatesOutOfOrder: the dates are not possible
    :raises NoWording: no wording in the customer's language is in force
    :raises CompanyNotNamed: the wording would name the sample company
    """
    today = chicago_day(at)
    _check_company_named(at)
    site = Site.objects.select_for_update().get(pk=site_id)
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    check_not_stopped(customer_id)
    promise = PlanPromise.objects.get(pk=promise_id)
    first = unsigned_poa_of(site_id)
    if first is not None:
        raise UnsignedPoaExists(first)
    jobs_here = Installation.objects.filter(customer=customer, site=site).exclude(status=InstallationStatus.CANCELLED)
    if not jobs_here.exists():
        raise CustomerNotAtSite(
            f"{customer} has no installation at {site}. Register it first, or choose the right site."
        )
    if not promise.is_offered:
        raise PromiseNotOffered(f"{promise.name} is no longer offered. Choose another product.")
    sunset_date = sunset_date or max(today + timedelta(days=SUNSET_DAYS), latest_start_date or today)
    earliest_start_date = earliest_start_date or today
    latest_start_date = latest_start_date or sunset_date
    _check_dates(earliest_start_date, latest_start_date, sunset_date, uses=uses, today=today)
    envelope = Envelope.objects.create(
        **copy_limits(promise),
        plan_name=promise.name,
        esi_id=site.esi_id,
        earliest_start_date=earliest_start_date,
        latest_start_date=latest_start_date,
        sunset_date=sunset_date,
        uses=uses,
    )
    poa = PoaDocument.objects.create(
        customer=customer,
        site=site,
        template=template_for(customer.language, today),
        promise=promise,
        envelope=envelope,
        created_at=at,
    )
    limits = {name: getattr(envelope, name) for name in LIMIT_FIELDS}
    chain.record(
        poa,
        kind="draft",
        by=by,
        at=at,
        details={
            "customer": customer.public_id,
            "site": site.public_id,
            "esi_id": site.esi_id,
            "wording_version": poa.template.version,
            "language": poa.template.language,
            "limits": limits,
            "earliest_start_date": earliest_start_date,
            "latest_start_date": latest_start_date,
            "sunset_date": sunset_date,
            "uses": uses,
        },
    )
    announce_case_change(site_id=site_id, at=at)
    return poa


@repeatable
def send_poa(*, poa_id: int, by: Actor, at: datetime) -> CustomerMail:
    """
    Owe the customer a mail with a personal link. The link is created when the mail is sent, and ends the old one.

    A draft becomes SENT. A repeat sends a new invitation for an unsigned POA, or a new page link for a signed one.

    :raises LimitMissing: a limit has no value
    :raises MoveNotAllowed: it has ended
    """
    poa = lock(poa_id)
    if poa.status != PoaStatus.DRAFT:
        return resend(poa, by=by, at=at)
    check_limits(poa.envelope)
    text = text_of(poa)
    poa.sent_at = at
    poa.due_at = link_expiry(at)
    take_move(poa, "send", by=by, at=at, details={"document_sha256": text.sha256})
    return schedule_mail(poa, MailKind.INVITATION, at=at)


def resend(poa: PoaDocument, *, by: Actor, at: datetime, details: Mapping[str, Any] | None = None) -> CustomerMail:
    """
    Owe the customer of a locked POA a new link, either to sign or to their page.

    :raises MoveNotAllowed: it has no page
    """
    if poa.status == PoaStatus.SENT:
        kind = MailKind.INVITATION
        poa.due_at = link_expiry(at)  # it must not expire before the mail is sent
        poa.save(update_fields=["due_at"])
    elif poa.status in STATUSES_WITH_PAGE:
        kind = MailKind.HOME_LINK
    else:
        raise MoveNotAllowed(subject=str(poa), move="send", status=poa.status)
    chain.record(poa, kind="resend", by=by, at=at, details={"mail": kind, **(details or {})}, is_locked=True)
    return schedule_mail(poa, kind, at=at)


@repeatable
def void_poa(*, poa_id: int, reason: str, by: Actor, at: datetime) -> PoaDocument:
    """
    Void an unsigned POA. Its link then says so.

    :raises MoveNotAllowed: it was signed or has ended; a signed one is revoked, not voided
    """
    poa = lock(poa_id)
    poa.ended_at, poa.ended_because, poa.due_at = at, reason, None
    take_move(poa, "void", by=by, at=at, reason=reason)
    return poa


def schedule_mail(
    poa: PoaDocument, kind: MailKind, *, at: datetime, to_address: str = "", once_key: str = ""
) -> CustomerMail:
    """Record a due mail in the open transaction, and queue the task that sends it."""
    mail = CustomerMail.objects.create(
        poa=poa, kind=kind, to_address=to_address, once_key=once_key, created_at=at, due_at=at
    )
    enqueue_on_commit(TaskName.SEND_MAIL, mail_id=mail.pk)
    return mail


def schedule_case_mail(
    poa: PoaDocument, kind: MailKind, *, case_number: int, once_key: str, at: datetime
) -> CustomerMail | None:
    """
    Record a due mail about an enrollment in the transaction that locked it and its POA. None if it was recorded before.

    `enrollments` sends it, because only that app knows what it says.
    """
    if CustomerMail.objects.filter(once_key=once_key).exists():
        return None
    return CustomerMail.objects.create(
        poa=poa, kind=kind, case_number=case_number, once_key=once_key, created_at=at, due_at=at
    )


def drop_case_mails(case_number: int, kind: MailKind, *, at: datetime) -> None:
    """Drop unsent mails about an enrollment because a newer one of the same kind replaces them."""
    CustomerMail.objects.unsent().filter(case_number=case_number, kind=kind).update(not_needed_at=at, due_at=None)


def _check_company_named(at: datetime) -> None:
    """:raises CompanyNotNamed: customers would read the name, contact or broker number of the sample"""
    left = [] if settings.SAMPLE_COMPANY_ALLOWED else sample_values_left(rules_at(at))
    if left:
        raise CompanyNotNamed(left)


def _check_dates(earliest: date, latest: date, sunset: date, *, uses: int, today: date) -> None:
    problems: dict[str, str] = {}
    if latest < earliest:
        problems["latest_start_date"] = (
            f"The latest start {short_date(latest)} is before the earliest start {short_date(earliest)}. Swap them."
        )
    if latest < today:
        problems["latest_start_date"] = (
            f"The latest start {short_date(latest)} has passed. Choose a day after {short_date(today)}."
        )
    if sunset < today:
        problems["sunset_date"] = (
            f"The sunset date {short_date(sunset)} has passed. Choose a day after {short_date(today)}."
        )
    if sunset > today + timedelta(days=3 * 366):
        problems["sunset_date"] = f"The sunset date {short_date(sunset)} is more than three years away. Check the year."
    if uses < 1:
        problems["uses"] = "A POA grants at least one use."
    if problems:
        raise DatesOutOfOrder(problems)
