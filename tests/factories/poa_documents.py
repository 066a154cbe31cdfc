"""Powers of attorney for tests, brought to their status by the real actions."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core import mail
from django.db import transaction

from core.actors import SYSTEM, Actor
from installations.models import Customer, Site
from poa_documents import actions
from poa_documents.authority_check import AuthorityMissing, check_authority
from poa_documents.document_text import text_of
from poa_documents.models import PlanPromise, PoaDocument, RateKind, SignatureKind, Statement
from poa_documents.pdf.readability_sample import sample_word
from tests.factories.installations import installation as sold_installation

SIGNED_AT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
PLAN_GROUP = UUID("7d1c4d4e-51a7-4f1c-9a58-0e6a52d6f001")
STAFF = Actor.staff(UUID(int=1))
SIGNED_FROM_IP = "203.0.113.7"
BROWSER = "a-browser-of-the-tests"
USER_AGENT = "Mozilla/5.0 (tests)"


def plan_promise(**changes: Any) -> PlanPromise:
    fields: dict[str, Any] = {
        "name": "Solar Buyback 12",
        "summary_en": "A fixed price for 12 months that pays you for the solar power you send to the grid.",
        "summary_es": "Un precio fijo por 12 meses que le paga la energía solar que usted envía a la red.",
        "light_plan_group": PLAN_GROUP,
        "rate_kind": RateKind.FIXED,
        "max_average_cents_per_kwh_500": Decimal("18.5"),
        "max_average_cents_per_kwh_1000": Decimal("16.9"),
        "max_average_cents_per_kwh_2000": Decimal("16.1"),
        "max_base_fee_dollars": Decimal("9.95"),
        "max_term_months": 12,
        "max_termination_fee_dollars": Decimal(150),
        "min_buyback_cents_per_kwh": Decimal("3.0"),
    }
    return PlanPromise.objects.create(**{**fields, **changes})


def drafted_poa(
    *,
    customer: Customer | None = None,
    site: Site | None = None,
    promise: PlanPromise | None = None,
    at: datetime = SIGNED_AT,
    **changes: Any,
) -> PoaDocument:
    """`changes` is passed to `draft_poa`: earliest_start_date, latest_start_date, sunset_date, uses."""
    actions.ensure_templates()
    if customer is None or site is None:
        installation = sold_installation(at, customer=customer, site=site)
        customer, site = installation.customer, installation.site
    return actions.draft_poa(
        customer_id=customer.pk,
        site_id=site.pk,
        promise_id=(promise or plan_promise()).pk,
        by=STAFF,
        at=at,
        **changes,
    )


def sent_poa(*, at: datetime = SIGNED_AT, **changes: Any) -> PoaDocument:
    poa = drafted_poa(at=at, **changes)
    owed = actions.send_poa(poa_id=poa.pk, by=STAFF, at=at)
    actions.send_mail(mail_id=owed.pk, at=at)
    poa.refresh_from_db()
    return poa


def prove_contact(poa: PoaDocument, *, at: datetime = SIGNED_AT) -> None:
    """The customer requests a code and enters it from the mail."""
    with transaction.atomic():  # where workers run, one of them might send it first
        asked = actions.ask_for_code(poa_id=poa.pk, browser=BROWSER, at=at, ip_address=SIGNED_FROM_IP)
        actions.send_mail(mail_id=asked.pk, at=at)
    code = re.search(r"^[0-9]{6}$", str(mail.outbox.pop().body), re.M)
    assert code
    answer = actions.enter_code(poa_id=poa.pk, browser=BROWSER, digits=code[0], at=at, ip_address=SIGNED_FROM_IP)
    assert answer.verdict == actions.CodeVerdict.RIGHT


def agree_to_everything(poa: PoaDocument, *, at: datetime = SIGNED_AT) -> None:
    if not poa.contact_codes.filter(used_at__isnull=False).exists():
        prove_contact(poa, at=at)
    text = text_of(poa)
    for statement in Statement:
        actions.record_consent(
            poa_id=poa.pk,
            statement=statement,
            words_sha256=text.sha256_of(statement),
            by=Actor.customer(poa.customer.public_id),
            at=at,
            ip_address=SIGNED_FROM_IP,
            user_agent=USER_AGENT,
            word_in_sample=sample_word(poa, text.language),
        )


def sealing_poa(
    *,
    at: datetime = SIGNED_AT,
    signature_kind: str = SignatureKind.TYPED,
    signature_text: str = "",
    **changes: Any,
) -> PoaDocument:
    """The customer completed the final step; the file is not made yet."""
    poa = sent_poa(at=at, **changes)
    agree_to_everything(poa, at=at)
    actions.sign_poa(
        poa_id=poa.pk,
        signature_kind=signature_kind,
        signature_text=signature_text or str(poa.customer),
        document_sha256=text_of(poa).sha256,
        by=Actor.customer(poa.customer.public_id),
        at=at,
        ip_address=SIGNED_FROM_IP,
        user_agent=USER_AGENT,
    )
    poa.refresh_from_db()
    return poa


def signed_poa(*, at: datetime = SIGNED_AT, **changes: Any) -> PoaDocument:
    """
    A POA with a sealed, stored file. Takes customer, site, promise, dates, `uses`, and the signature.

    Its copy mail is owed but not sent.
    """
    poa = sealing_poa(at=at, **changes)
    actions.seal_poa(poa_id=poa.pk, at=at + timedelta(seconds=1))
    poa.refresh_from_db()
    return poa


def revoked_poa(*, at: datetime = SIGNED_AT, **changes: Any) -> PoaDocument:
    poa = signed_poa(at=at, **changes)
    return actions.revoke_poa(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=at + timedelta(hours=1))


def suspended_poa(*, at: datetime = SIGNED_AT, **changes: Any) -> PoaDocument:
    poa = signed_poa(at=at, **changes)
    return actions.suspend_poa(poa_id=poa.pk, reason="the customer died.", by=SYSTEM, at=at + timedelta(hours=1))


def has_authority(poa: PoaDocument, *, esi_id: str, at: datetime) -> bool:
    try:
        check_authority(poa, esi_id=esi_id, at=at)
    except AuthorityMissing:
        return False
    return True
