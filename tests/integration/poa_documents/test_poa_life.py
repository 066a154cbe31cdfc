"""The life of a power of attorney, from draft to every end, through the actions."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from core.actors import Actor
from core.moves import MoveNotAllowed
from core.queue import TaskName
from installations.actions import correct_contact
from installations.models import Language
from poa_documents import actions, authority_check
from poa_documents.document_text import text_of
from poa_documents.journal import chain
from poa_documents.limited_fields import LIMIT_FIELDS
from poa_documents.models import (
    CustomerMail,
    EvidenceEntry,
    JournalIsFinal,
    MailKind,
    PoaDocument,
    PoaTemplate,
    Statement,
    WordingInUse,
)
from poa_documents.moves import lock
from poa_documents.states import PoaStatus
from tests.factories.installations import customer as registered_customer
from tests.factories.installations import installation, site
from tests.factories.poa_documents import (
    SIGNED_AT,
    STAFF,
    agree_to_everything,
    drafted_poa,
    plan_promise,
    prove_contact,
    revoked_poa,
    sealing_poa,
    sent_poa,
    signed_poa,
    suspended_poa,
)
from tests.journal_guard import guard_lifted

pytestmark = pytest.mark.django_db

LATER = SIGNED_AT + timedelta(hours=2)


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[TaskName, dict[str, int]]]:
    sent: list[tuple[TaskName, dict[str, int]]] = []
    monkeypatch.setattr("core.queue._send", lambda task, ids: sent.append((task, ids)))
    return sent


def by(poa: PoaDocument) -> Actor:
    return Actor.customer(poa.customer.public_id)


# --- drafting and sending ------------------------------------------------------------------------------------------


def test_draft_copies_the_limits_of_the_product() -> None:
    promise = plan_promise()

    poa = drafted_poa(promise=promise)

    assert {name: getattr(poa.envelope, name) for name in LIMIT_FIELDS} == {
        name: getattr(promise, name) for name in LIMIT_FIELDS
    }
    assert poa.envelope.esi_id == poa.site.esi_id


def test_later_product_change_leaves_the_envelope_alone() -> None:
    poa = drafted_poa()
    before = poa.envelope.max_term_months

    poa.promise.max_term_months = 36
    poa.promise.save()

    poa.envelope.refresh_from_db()
    assert poa.envelope.max_term_months == before


def test_default_dates_run_from_chicago_today_for_180_days() -> None:
    late_evening_in_chicago = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)

    envelope = drafted_poa(at=late_evening_in_chicago).envelope

    assert (envelope.earliest_start_date, envelope.latest_start_date, envelope.sunset_date) == (
        date(2026, 3, 2),
        date(2026, 8, 29),
        date(2026, 8, 29),
    )


@pytest.mark.parametrize(
    ("dates", "field"),
    [
        (
            {"earliest_start_date": date(2026, 5, 2), "latest_start_date": date(2026, 5, 1)},
            "latest_start_date",
        ),
        ({"earliest_start_date": date(2025, 1, 1), "latest_start_date": date(2025, 2, 1)}, "latest_start_date"),
        ({"sunset_date": date(2026, 1, 1)}, "sunset_date"),
        ({"sunset_date": date(2206, 1, 1)}, "sunset_date"),
        ({"uses": 0}, "uses"),
    ],
)
def test_impossible_dates_are_refused_by_field(dates: dict[str, Any], field: str) -> None:
    with pytest.raises(actions.DatesOutOfOrder) as refusal:
        drafted_poa(**dates)

    assert field in refusal.value.problems


def test_second_unsigned_poa_for_a_site_is_refused() -> None:
    first = sent_poa()

    with pytest.raises(actions.UnsignedPoaExists, match=str(first)) as refusal:
        drafted_poa(customer=first.customer, site=first.site)

    assert refusal.value.first == first


def test_customer_without_a_job_at_the_site_gets_no_poa() -> None:
    job, elsewhere = installation(SIGNED_AT), site(SIGNED_AT)

    with pytest.raises(actions.CustomerNotAtSite, match="no installation"):
        drafted_poa(customer=job.customer, site=elsewhere)


def test_withdrawn_product_gets_no_poa() -> None:
    with pytest.raises(actions.PromiseNotOffered):
        drafted_poa(promise=plan_promise(is_offered=False))


def test_wording_follows_the_customers_language() -> None:
    job = installation(SIGNED_AT, customer=registered_customer(SIGNED_AT, language=Language.SPANISH))

    poa = drafted_poa(customer=job.customer, site=job.site)

    assert poa.template.language == Language.SPANISH


def test_wording_in_use_cannot_be_changed() -> None:
    template = drafted_poa().template
    template.body += "\n\nAnd one more thing."

    with pytest.raises(WordingInUse, match="body"):
        template.save()


def test_loading_the_wording_twice_changes_nothing() -> None:
    first = actions.ensure_templates()

    second = actions.ensure_templates()

    assert [template.pk for template in first] == [template.pk for template in second]
    assert PoaTemplate.objects.count() == len(second)


def test_sending_a_draft_owes_the_customer_an_invitation(queued: list[Any]) -> None:
    poa = drafted_poa()

    mail = actions.send_poa(poa_id=poa.pk, by=STAFF, at=SIGNED_AT)

    poa.refresh_from_db()
    assert (poa.status, mail.kind, mail.due_at) == (PoaStatus.SENT, MailKind.INVITATION, SIGNED_AT)
    assert poa.token_hash == ""


def test_signed_poa_sent_again_gets_a_link_to_the_page() -> None:
    poa = signed_poa()

    mail = actions.send_poa(poa_id=poa.pk, by=STAFF, at=LATER)

    assert mail.kind == MailKind.HOME_LINK
    poa.refresh_from_db()
    assert poa.status == PoaStatus.SIGNED


def test_voided_poa_cannot_be_sent() -> None:
    poa = sent_poa()
    actions.void_poa(poa_id=poa.pk, reason="Wrong address.", by=STAFF, at=LATER)

    with pytest.raises(MoveNotAllowed, match="VOIDED"):
        actions.send_poa(poa_id=poa.pk, by=STAFF, at=LATER)


# --- consent and signature -----------------------------------------------------------------------------------------


def test_statements_are_agreed_to_in_order() -> None:
    poa = sent_poa()
    prove_contact(poa)
    text = text_of(poa)

    with pytest.raises(actions.StepsOutOfOrder) as refusal:
        actions.record_consent(
            poa_id=poa.pk,
            statement=Statement.LIMITS,
            words_sha256=text.sha256_of(Statement.LIMITS),
            by=by(poa),
            at=SIGNED_AT,
        )

    assert refusal.value.first_missing == Statement.BROKER_FACTS


def test_agreeing_to_outdated_wording_is_refused() -> None:
    poa = sent_poa()
    prove_contact(poa)

    with pytest.raises(actions.WordingChanged):
        actions.record_consent(
            poa_id=poa.pk, statement=Statement.BROKER_FACTS, words_sha256="0" * 64, by=by(poa), at=SIGNED_AT
        )

    assert not poa.consents.exists()


def test_agreeing_twice_counts_once() -> None:
    poa = sent_poa()
    agree_to_everything(poa)

    agree_to_everything(poa, at=LATER)

    assert poa.consents.count() == len(Statement)


def test_consent_keeps_wording_hash_language_and_origin() -> None:
    poa = sent_poa()

    agree_to_everything(poa)

    consent = poa.consents.get(statement=Statement.ERECORD)
    assert consent.words == text_of(poa).words[Statement.ERECORD]
    assert (consent.language, consent.wording_version, consent.ip_address) == ("en", 1, "203.0.113.7")
    assert consent.user_agent


def test_changed_language_asks_again_and_changing_back_resumes() -> None:
    poa = sent_poa()
    agree_to_everything(poa)

    actions.choose_language(poa_id=poa.pk, language="es", by=by(poa), at=LATER)
    poa = PoaDocument.objects.get(pk=poa.pk)
    with pytest.raises(actions.ConsentIncomplete):
        sign(poa)
    actions.choose_language(poa_id=poa.pk, language="en", by=by(poa), at=LATER)

    assert sign(PoaDocument.objects.get(pk=poa.pk)) == actions.SignOutcome.SIGNED


def sign(poa: PoaDocument, at: datetime = SIGNED_AT, **changes: Any) -> actions.SignOutcome:
    return actions.sign_poa(
        **{
            "poa_id": poa.pk,
            "signature_kind": "TYPED",
            "signature_text": "Carmen Reyes",
            "document_sha256": text_of(poa).sha256,
            "by": by(poa),
            "at": at,
            **changes,
        }
    )


def test_nothing_is_signed_while_a_statement_is_missing() -> None:
    poa = sent_poa()
    prove_contact(poa)

    with pytest.raises(actions.ConsentIncomplete) as refusal:
        sign(poa)

    assert refusal.value.missing == list(Statement)


def test_document_that_differs_from_the_screen_is_not_signed() -> None:
    poa = sent_poa()
    agree_to_everything(poa)

    with pytest.raises(actions.WordingChanged):
        sign(poa, document_sha256="f" * 64)


@pytest.mark.cell("U1")
def test_U1_signing_twice_makes_one_document() -> None:
    poa = signed_poa()
    before = (poa.signed_at, poa.pdf_sha256, poa.evidence.count())

    outcome = sign(poa, at=LATER, signature_text="Somebody Else")
    again = actions.seal_poa(poa_id=poa.pk, at=LATER)

    poa.refresh_from_db()
    assert (outcome, again) == (actions.SignOutcome.ALREADY_SIGNED, actions.SealOutcome.ALREADY_SEALED)
    assert (poa.signed_at, poa.pdf_sha256, poa.evidence.count()) == before


def test_signing_queues_the_seal(queued: list[Any], django_capture_on_commit_callbacks: Any) -> None:
    poa = sent_poa()
    agree_to_everything(poa)

    with django_capture_on_commit_callbacks(execute=True):
        sign(poa)

    assert (TaskName.SEAL_POA, {"poa_id": poa.pk}) in queued


def test_sealing_announces_the_case_change_and_owes_the_copy(
    queued: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    poa = sealing_poa()

    with django_capture_on_commit_callbacks(execute=True):
        actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT)

    assert (TaskName.CASE_CHANGED, {"site_id": poa.site_id}) in queued
    assert CustomerMail.objects.filter(poa=poa, kind=MailKind.SIGNED_COPY).count() == 1


def test_signature_is_encrypted_in_the_database() -> None:
    poa = sealing_poa(signature_text="Carmen Q Reyes")

    with connection.cursor() as cursor:
        cursor.execute("SELECT signature_text FROM poa_documents_poadocument WHERE id = %s", [poa.pk])
        stored = cursor.fetchone()[0]

    assert "Carmen" not in stored
    assert poa.signature_text == "Carmen Q Reyes"


# --- ends ----------------------------------------------------------------------------------------------------------


def test_newer_signed_poa_replaces_the_older_one() -> None:
    older = signed_poa()

    newer = signed_poa(customer=older.customer, site=older.site, promise=older.promise, at=LATER)

    older.refresh_from_db()
    assert (older.status, newer.status) == (PoaStatus.SUPERSEDED, PoaStatus.SIGNED)
    assert older.ended_because == "A newer power of attorney was signed for this site."
    assert older.evidence.get(kind="supersede").details["newer"] == str(newer.public_id)


def test_unsigned_newer_poa_leaves_the_older_one_in_force() -> None:
    older = signed_poa()

    drafted_poa(customer=older.customer, site=older.site, promise=older.promise, at=LATER)

    older.refresh_from_db()
    assert older.status == PoaStatus.SIGNED


def test_declining_keeps_the_reason_and_owes_a_receipt() -> None:
    poa = sent_poa()

    actions.decline_poa(poa_id=poa.pk, reason="I am moving.", by=by(poa), at=LATER)

    poa.refresh_from_db()
    assert (poa.status, poa.ended_because) == (PoaStatus.DECLINED, "I am moving.")
    assert CustomerMail.objects.filter(poa=poa, kind=MailKind.DECLINED_RECEIPT).exists()


def test_revoking_blocks_immediately_and_owes_a_receipt(
    queued: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    poa = signed_poa()

    with django_capture_on_commit_callbacks(execute=True):
        actions.revoke_poa(poa_id=poa.pk, by=by(poa), at=LATER)

    poa.refresh_from_db()
    with pytest.raises(authority_check.AuthorityRevoked):
        authority_check.check_authority(poa, esi_id=poa.envelope.esi_id, at=LATER)
    assert (TaskName.CASE_CHANGED, {"site_id": poa.site_id}) in queued
    assert CustomerMail.objects.filter(poa=poa, kind=MailKind.REVOKED_RECEIPT).exists()


def test_signature_revoked_before_storage_never_becomes_an_authority() -> None:
    poa = sealing_poa()
    actions.revoke_poa(poa_id=poa.pk, by=by(poa), at=LATER)

    outcome = actions.seal_poa(poa_id=poa.pk, at=LATER)

    poa.refresh_from_db()
    assert outcome == actions.SealOutcome.NOTHING_TO_SEAL
    assert poa.status == PoaStatus.REVOKED


def test_poa_that_was_never_signed_cannot_be_revoked() -> None:
    with pytest.raises(MoveNotAllowed):
        actions.revoke_poa(poa_id=sent_poa().pk, by=STAFF, at=LATER)


def test_last_use_exhausts_an_authority() -> None:
    poa = signed_poa(uses=2)

    actions.use_authority(lock(poa.pk), by=STAFF, at=LATER)
    once = PoaDocument.objects.get(pk=poa.pk).status
    actions.use_authority(lock(poa.pk), by=STAFF, at=LATER)

    assert (once, PoaDocument.objects.get(pk=poa.pk).status) == (PoaStatus.SIGNED, PoaStatus.EXHAUSTED)


def test_use_that_happened_counts_even_after_revocation() -> None:
    poa = revoked_poa()

    actions.use_authority(lock(poa.pk), by=STAFF, at=LATER)

    poa.refresh_from_db()
    assert (poa.status, poa.uses_made) == (PoaStatus.REVOKED, 1)


def test_suspended_poa_resumes_only_with_an_intact_file() -> None:
    poa = suspended_poa()

    actions.resume_poa(poa_id=poa.pk, reason="It was a mix-up.", by=STAFF, at=LATER)

    poa.refresh_from_db()
    assert (poa.status, poa.suspended_because) == (PoaStatus.SIGNED, "")


def test_journal_names_every_address_that_got_a_link() -> None:
    poa = sent_poa()
    first = poa.customer.email
    correct_contact(customer_id=poa.customer_id, email="new@example.com", phone="", language="en", by=STAFF, at=LATER)
    mail = actions.send_poa(poa_id=poa.pk, by=STAFF, at=LATER)
    actions.send_mail(mail_id=mail.pk, at=LATER)

    sent = EvidenceEntry.objects.filter(poa=poa, kind="mail_sent").order_by("number")

    assert [entry.details["to"] for entry in sent] == [first, "new@example.com"]


def test_sweep_expires_an_invitation_after_its_last_day() -> None:
    poa = sent_poa()
    assert poa.token_expires_at is not None

    actions.sweep_poas(at=poa.token_expires_at - timedelta(seconds=1))
    before = PoaDocument.objects.get(pk=poa.pk).status
    actions.sweep_poas(at=poa.token_expires_at)

    assert (before, PoaDocument.objects.get(pk=poa.pk).status) == (PoaStatus.SENT, PoaStatus.EXPIRED)


def test_sweep_lapses_an_authority_after_its_last_chicago_day() -> None:
    poa = signed_poa(sunset_date=date(2026, 6, 30), latest_start_date=date(2026, 6, 15))
    midnight_in_chicago = datetime(2026, 7, 1, 5, 0, tzinfo=UTC)

    actions.sweep_poas(at=midnight_in_chicago - timedelta(seconds=1))
    before = PoaDocument.objects.get(pk=poa.pk).status
    actions.sweep_poas(at=midnight_in_chicago)

    assert (before, PoaDocument.objects.get(pk=poa.pk).status) == (PoaStatus.SIGNED, PoaStatus.LAPSED)


def test_one_failing_poa_does_not_stop_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = sealing_poa(), sealing_poa()
    broken.consents.filter(statement=Statement.DOCUMENT).update(wording_sha256="0" * 64)

    actions.sweep_poas(at=LATER)

    broken.refresh_from_db()
    sound.refresh_from_db()
    assert (broken.status, sound.status) == (PoaStatus.SEALING, PoaStatus.SIGNED)
    assert broken.due_at is not None
    assert broken.due_at > LATER
    assert broken.last_error


# --- evidence ------------------------------------------------------------------------------------------------------


def test_I10_every_move_has_an_entry_and_the_chain_verifies() -> None:
    poa = revoked_poa()

    verdict = chain.verify(poa)

    kinds = list(poa.evidence.values_list("kind", flat=True))
    assert verdict.is_intact
    assert verdict.entries == len(kinds)
    assert [kind for kind in kinds if kind in {"draft", "send", "sign", "seal", "revoke"}] == [
        "draft",
        "send",
        "sign",
        "seal",
        "revoke",
    ]


@pytest.mark.parametrize("change", [{"details": {"reason": "forged"}}, {"actor": "staff:9"}, {"kind": "other"}])
def test_altered_entry_is_named(change: dict[str, Any]) -> None:
    poa = signed_poa()
    with guard_lifted():
        EvidenceEntry.objects.filter(poa=poa, number=3).update(**change)

    verdict = chain.verify(poa)

    assert (verdict.is_intact, verdict.broken_number) == (False, 3)


def test_removed_entry_is_named() -> None:
    poa = signed_poa()
    with guard_lifted():
        EvidenceEntry.objects.filter(poa=poa, number=2).delete()

    assert chain.verify(poa).broken_number == 2


def test_entry_forged_with_a_matching_hash_breaks_the_chain() -> None:
    poa = signed_poa()
    entry = EvidenceEntry.objects.get(poa=poa, number=2)
    entry.actor = "staff:9"
    with guard_lifted():
        EvidenceEntry.objects.filter(pk=entry.pk).update(actor=entry.actor, sha256=chain._sha256(entry))

    assert chain.verify(poa).broken_number == 3


def test_entry_cannot_be_saved_again_or_deleted() -> None:
    entry = EvidenceEntry.objects.get(poa=signed_poa(), number=2)

    with pytest.raises(JournalIsFinal):
        entry.save()
    with pytest.raises(JournalIsFinal):
        entry.delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
def test_entry_outside_a_transaction_is_refused() -> None:
    poa = drafted_poa()

    with pytest.raises(RuntimeError, match="transaction"):
        chain.record(poa, kind="note", by=STAFF, at=SIGNED_AT)


def test_entry_refuses_values_databases_may_change() -> None:
    poa = drafted_poa()

    with pytest.raises(TypeError, match="float"):
        chain.record(poa, kind="note", by=STAFF, at=SIGNED_AT, details={"price": 0.1})


def test_only_a_suspended_poa_can_be_resumed() -> None:
    poa = sent_poa()

    with pytest.raises(MoveNotAllowed):
        actions.resume_poa(poa_id=poa.pk, reason="A call.", by=STAFF, at=SIGNED_AT)
