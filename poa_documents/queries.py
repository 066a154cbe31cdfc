"""Queries about POAs for pages, actions and sweeps."""

from collections.abc import Collection
from datetime import date, datetime

from django.db.models import Max, Q, QuerySet

from core.dates import short_date
from core.errors import Conflict
from installations.models import Customer
from poa_documents.models import SIGNING_MAILS, AddressFailure, ConsentRecord, PoaDocument, PoaTemplate, Statement
from poa_documents.states import PoaStatus
from poa_documents.wording_rendering import DocumentText

STATEMENTS: tuple[Statement, ...] = tuple(Statement)


class NoWording(Conflict):
    """No version of the wording is in force for this language on this day."""

    def __init__(self, language: str, day: date) -> None:
        super().__init__(
            f"No POA wording in language {language!r} is in force on {short_date(day)}. Add one, or run "
            "load_poa_wording."
        )


def template_for(language: str, day: date) -> PoaTemplate:
    """
    Return the newest wording in force on that Chicago day.

    :raises NoWording: no wording is in force
    """
    template = (
        PoaTemplate.objects.filter(language=language, effective_from_date__lte=day)
        .filter(Q(effective_until_date__isnull=True) | Q(effective_until_date__gte=day))
        .order_by("-version")
        .first()
    )
    if template is None:
        raise NoWording(language, day)
    return template


def consents_for(poa: PoaDocument, text: DocumentText) -> dict[Statement, ConsentRecord]:
    """Return the consents given to exactly these words."""
    return {
        Statement(consent.statement): consent
        for consent in poa.consents.all()
        if consent.wording_sha256 == text.sha256_of(Statement(consent.statement))
    }


def missing_statements(given: Collection[Statement]) -> list[Statement]:
    """Return the statements not yet agreed to, in page order."""
    return [statement for statement in STATEMENTS if statement not in given]


def due_poas(at: datetime) -> QuerySet[PoaDocument]:
    return PoaDocument.objects.filter(due_at__lte=at).order_by("due_at", "pk")


def unsigned_poa_of(site_id: int) -> PoaDocument | None:
    return PoaDocument.objects.filter(
        site_id=site_id, status__in=[PoaStatus.DRAFT, PoaStatus.SENT, PoaStatus.SEALING]
    ).first()


def failure_of(customer: Customer) -> AddressFailure | None:
    """Return why mail to the customer's address fails; None if it is not known to fail."""
    return AddressFailure.objects.filter(customer=customer, address=customer.email, ended_at__isnull=True).first()


def is_link_dead(poa: PoaDocument) -> bool:
    """Whether a customer who is asked to sign has no working link, and none is being sent."""
    if poa.status != PoaStatus.SENT:
        return False
    if poa.token_hash and poa.link_sent_to == poa.customer.email:
        return False
    on_the_way = Q(due_at__isnull=False) | Q(held_since__isnull=False)
    return not poa.mails.unsent().filter(on_the_way, kind__in=sorted(SIGNING_MAILS)).exists()


def last_visit(poa: PoaDocument) -> datetime | None:
    """Return when the customer last requested a code or gave a consent."""
    visits = (
        poa.contact_codes.aggregate(last=Max("asked_at"))["last"],
        poa.consents.aggregate(last=Max("given_at"))["last"],
    )
    return max((visit for visit in visits if visit is not None), default=None)
