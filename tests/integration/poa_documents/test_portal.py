"""The customer's pages, through HTTP."""

import hashlib
import io
import json
import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.files.storage import FileSystemStorage
from pypdf import PdfReader

from core.dates import chicago_day
from core.stored_files import FileNotStored, StoredFile, store
from poa_documents import actions
from poa_documents.authority_check import SealedFileAltered
from poa_documents.journal import chain
from poa_documents.mail.messages import compose
from poa_documents.models import CASE_MAILS, MailKind, PoaDocument, SignatureKind, Statement
from poa_documents.states import PoaStatus
from tests.factories.company import set_company_rules
from tests.factories.installations import customer as registered_customer
from tests.factories.installations import installation
from tests.factories.poa_documents import SIGNED_AT, STAFF, drafted_poa, sealing_poa, sent_poa, signed_poa
from tests.integration.poa_documents.portal_visits import ManualClock, Visit, fresh, token_in_last_mail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

WAVE = json.dumps([[[10 + step * 4, 40 + (step % 7) * 5] for step in range(40)]])


class RefusingStorage(FileSystemStorage):
    def _save(self, name: str, content: Any) -> str:
        raise ConnectionError("the bucket is gone")


class HangingStorage(FileSystemStorage):
    let_go = threading.Event()

    def _save(self, name: str, content: Any) -> str:
        self.let_go.wait()
        raise ConnectionError("the bucket hung up")


def use_storage(settings: LazySettings, storage: type) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "BACKEND": f"{__name__}.{storage.__name__}"},
    }


def text_of_pdf(content: bytes) -> str:
    pages = PdfReader(io.BytesIO(content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def spanish_poa() -> PoaDocument:
    job = installation(SIGNED_AT, customer=registered_customer(SIGNED_AT, language="es"))
    return sent_poa(customer=job.customer, site=job.site)


# --- the whole flow ------------------------------------------------------------------------------------------------


def test_customer_signs_by_typing_and_gets_a_copy() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()

    home = visit.sign(typed_name="Carmen Reyes-Ortiz")
    copy = visit.open("copy.pdf")

    assert fresh(poa).status == PoaStatus.SIGNED
    assert "Signed. Thank you!" in home.content.decode()
    assert copy["Content-Disposition"] == f'attachment; filename="power-of-attorney-{chicago_day(poa.created_at)}.pdf"'
    text = text_of_pdf(copy.content)
    assert "Carmen Reyes-Ortiz" in text
    assert fresh(poa).document_sha256 in text
    assert poa.site.esi_id in text
    assert "16.9¢ per kWh" in text
    assert "2026-03-02T16:00:00Z" in text
    assert "127.0.0.1" in text


def test_customer_signs_in_spanish_by_drawing() -> None:
    poa = spanish_poa()
    visit = Visit.by_last_mail()

    home = visit.sign(kind="DRAWN", strokes=WAVE)
    text = text_of_pdf(visit.open("copy.pdf").content)

    assert fresh(poa).signature_kind == SignatureKind.DRAWN
    assert "¡Gracias!" in home.content.decode()
    assert "Poder limitado para elegir un plan de electricidad" in text
    assert "tarifa fija" in text
    assert "Limited power" not in text


def test_file_prints_the_wording_whose_hash_was_agreed_to() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()

    visit.sign()

    words = poa.consents.get(statement=Statement.DOCUMENT).words
    printed = text_of_pdf(visit.open("copy.pdf").content)
    for line in words.splitlines():
        assert " ".join(line.strip("#- ").split()) in printed


def test_every_consent_stores_the_hash_of_the_page_text() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    shown = visit.fields("step/broker/")
    visit.send("step/broker/")
    shown |= visit.fields("step/electronic/")

    visit.send("step/electronic/")

    stored = {consent.statement: consent.wording_sha256 for consent in poa.consents.all()}
    assert stored == {
        "BROKER_FACTS": shown["words_BROKER_FACTS"],
        "ERECORD": shown["words_ERECORD"],
    }


def test_copy_is_mailed_too() -> None:
    sent_poa()
    Visit.by_last_mail().sign()

    actions.sweep_poas(at=SIGNED_AT)

    assert mail.outbox[-1].subject == "Your signed power of attorney"
    name, content, content_type = mail.outbox[-1].attachments[0]
    assert (name.endswith(".pdf"), content_type) == (True, "application/pdf")
    assert content.startswith(b"%PDF")


# --- order, resuming, mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["electronic", "summary", "confirm", "document", "signature", "review"])
def test_early_step_redirects_to_the_current_one(name: str) -> None:
    sent_poa()

    page = Visit.by_last_mail().open(f"step/{name}/")

    assert "Step 1 of 7" in page.content.decode()


def test_early_final_step_signs_nothing() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    key = visit.fields("step/broker/")["form_key"]

    visit.post("step/review/", {"form_key": key, "document_sha256": "0" * 64})

    assert fresh(poa).status == PoaStatus.SENT


def test_signature_changed_in_another_tab_is_shown_again() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.agree_to_everything()
    form = visit.fields("step/signature/")
    visit.post("step/signature/", {**form, "kind": "TYPED", "typed_name": "Carmen Reyes"})
    seen = visit.fields("step/review/")
    visit.sign_as("Somebody Else")

    page = visit.post("step/review/", seen)

    assert page.status_code == 200
    assert "Somebody Else" in page.content.decode()
    assert fresh(poa).status == PoaStatus.SENT
    assert visit.send("step/review/").status_code == 200
    assert fresh(poa).status == PoaStatus.SIGNED


def test_no_box_is_checked_in_advance() -> None:
    sent_poa()
    visit = Visit.by_last_mail()
    visit.send("step/broker/")
    visit.send("step/electronic/")
    visit.send("step/summary/")

    boxes = visit.checkboxes(visit.open("step/confirm/"))

    assert len(boxes) == 4
    assert not any(boxes.values())


def test_unchecked_box_is_named_and_the_others_stay() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()

    for name in ("broker", "electronic", "summary"):
        visit.send(f"step/{name}/")
    agreed = poa.consents.count()

    page = visit.send("step/confirm/", tick_all=False, agree_LIMITS="yes")

    assert page.status_code == 200
    assert "Not checked yet: “I understand that service may start" in page.content.decode()
    assert [name for name, ticked in visit.checkboxes(page).items() if ticked] == ["agree_LIMITS"]
    assert poa.consents.count() == agreed


def test_electronic_records_require_the_word_from_the_sample() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.send("step/broker/")

    missing = visit.send("step/electronic/", sample_word=" ")
    wrong = visit.send("step/electronic/", sample_word="guessed")
    before = poa.consents.count()
    visit.send("step/electronic/", sample_word=f"  {visit.word_in_sample().upper()}. ")

    assert "type the word it contains" in missing.content.decode()
    assert "not the word in the sample" in wrong.content.decode()
    assert 'value="guessed"' in wrong.content.decode()
    assert visit.checkboxes(wrong) == {"agree_ERECORD": True}
    assert (before, poa.consents.count()) == (1, 2)
    shown = hashlib.sha256(visit.open("sample.pdf").content).hexdigest()
    assert poa.evidence.get(kind="consent", details__statement="ERECORD").details["sample_sha256"] == shown


def test_sample_has_the_format_of_the_signed_document() -> None:
    sent_poa()
    visit = Visit.by_last_mail()
    sample = visit.open("sample.pdf").content
    visit.sign()

    signed = visit.open("copy.pdf").content

    for mark in (b"<pdfaid:part>2</pdfaid:part>", b"<pdfaid:conformance>A</pdfaid:conformance>", b"<pdfuaid:part>1"):
        assert mark in sample
        assert mark in signed


def test_leaving_and_coming_back_resumes() -> None:
    sent_poa()
    token = token_in_last_mail()
    Visit(token).enter_code().send("step/broker/")
    second = Visit(token).enter_code()
    second.send("step/electronic/")
    second.send("step/summary/")

    home = Visit(token).enter_code().open()

    assert "Continue where I left off" in home.content.decode()
    assert f"/portal/{token}/step/confirm/" in home.content.decode()


def test_unusable_signature_is_explained_and_kept() -> None:
    sent_poa()
    visit = Visit.by_last_mail()
    visit.agree_to_everything()

    page = visit.send("step/signature/", kind="DRAWN", strokes="[[[1,1]]]", typed_name="Carmen R.")

    assert page.status_code == 200
    assert "Draw your signature in the box" in page.content.decode()
    assert "Carmen R." in page.content.decode()


def test_signature_can_be_corrected_before_the_final_step() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.agree_to_everything()
    visit.sign_as("Carmne")

    assert visit.fields("step/signature/")["typed_name"] == "Carmne"
    visit.sign_as("Carmen")
    visit.send("step/review/")

    assert fresh(poa).signature_text == "Carmen"


@pytest.mark.cell("U2")
def test_U2_signing_on_two_devices_makes_one_shared_document() -> None:
    poa = sent_poa()
    token = token_in_last_mail()
    phone, computer = Visit(token).enter_code(), Visit(token).enter_code()
    phone.agree_to_everything()
    phone.send("step/signature/", kind="TYPED", typed_name="Carmen Reyes")
    on_phone, on_computer = phone.fields("step/review/"), computer.fields("step/review/")

    first = phone.post("step/review/", on_phone)
    second = computer.post("step/review/", on_computer)

    assert "Signed. Thank you!" in first.content.decode()
    assert "Signed. Thank you!" in second.content.decode()
    assert poa.evidence.filter(kind="sign").count() == 1
    assert poa.evidence.filter(kind="seal").count() == 1


def test_language_switch_changes_page_document_and_stored_choice() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    key = visit.fields("step/broker/")["form_key"]

    page = visit.post("language/", {"form_key": key, "language": "es", "step": "broker"})

    assert "Quiénes somos" in page.content.decode()
    assert page["Content-Language"] == "es"
    assert (fresh(poa).template.language, fresh(poa).customer.language) == ("es", "es")


def test_language_switch_on_the_greeting_shows_it_translated() -> None:
    sent_poa()
    visit = Visit.by_last_mail()
    greeting = visit.open().content.decode()
    switch = dict(re.findall(r'name="(form_key|language|step)" value="(\w*)"', greeting.partition("<main")[0]))

    page = visit.post("language/", switch)

    assert "Hola" in page.content.decode()


def test_wording_changed_since_opening_is_shown_again() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    stale = {**visit.fields("step/broker/"), "agree_BROKER_FACTS": "yes"}
    set_company_rules(broker_number="BR999999")

    page = visit.post("step/broker/", stale)

    assert page.status_code == 200
    assert "has changed since you opened the page" in page.content.decode()
    assert not poa.consents.exists()


def test_different_name_is_asked_about_once_and_recorded() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.agree_to_everything()

    asked = visit.send("step/signature/", tick_all=False, kind="TYPED", typed_name="Somebody Else Entirely")
    unanswered = fresh(poa).signature_text
    review = visit.post(
        "step/signature/", {**visit.fields_of(asked), "kind": "TYPED", "is_my_name": "yes"}
    ).content.decode()
    visit.send("step/review/")

    assert f"We have your name as {poa.customer}" in asked.content.decode()
    assert unanswered == ""
    assert "Somebody Else Entirely" in review
    assert "confirmed" in poa.evidence.get(kind="signature_kept").details["name_differs_from_file"]
    assert poa.evidence.get(kind="sign").details["is_name_on_file"] is False


def test_answer_about_one_name_does_not_count_for_another() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.agree_to_everything()
    asked = visit.send("step/signature/", tick_all=False, kind="TYPED", typed_name="Somebody Else")

    page = visit.post(
        "step/signature/",
        {**visit.fields_of(asked), "kind": "TYPED", "typed_name": "A Third Person", "is_my_name": "yes"},
    )

    assert "We have your name as" in page.content.decode()
    assert fresh(poa).signature_text == ""


def test_error_pages_survive_a_reload_with_the_entries() -> None:
    sent_poa()
    visit = Visit.by_last_mail()
    form = visit.fields("decline/")

    answer = visit.client.post(visit.address("decline/"), {**form, "reason": "no " * 500})
    pages = [visit.client.get(answer["Location"]).content.decode() for _ in range(2)]

    assert answer.status_code == 302
    assert all("no no no" in page for page in pages)


# --- declining and revoking ----------------------------------------------------------------------------------------


def test_declining_needs_a_second_click_and_keeps_the_reason() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()

    visit.open("decline/")
    before = fresh(poa).status
    page = visit.send("decline/", reason="Too soon.")

    assert (before, fresh(poa).status, fresh(poa).ended_because) == (PoaStatus.SENT, PoaStatus.DECLINED, "Too soon.")
    assert "You chose not to sign" in page.content.decode()


@pytest.mark.parametrize("oddity", ["\x00", "\u202e", "🎉", "=HYPERLINK(1)", "<img src=x>", "$body {0} %s"])
def test_odd_characters_in_reason_or_name_do_no_harm(oddity: str) -> None:
    signed = sent_poa()
    Visit.by_last_mail().sign(typed_name=f"Carmen{oddity} Reyes")
    declined = sent_poa()

    Visit.by_last_mail().send("decline/", reason=f"Too{oddity} soon")
    actions.sweep_poas(at=SIGNED_AT)

    assert (fresh(signed).status, fresh(declined).status) == (PoaStatus.SIGNED, PoaStatus.DECLINED)
    assert fresh(declined).ended_because.startswith("Too")


def test_revoking_on_the_page_shows_a_receipt() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.sign()

    page = visit.send("revoke/")
    actions.sweep_poas(at=SIGNED_AT)

    assert fresh(poa).status == PoaStatus.REVOKED
    assert "You revoked your power of attorney" in page.content.decode()
    assert mail.outbox[-1].subject == "Receipt: you revoked your power of attorney"


def test_revoking_twice_counts_once() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.sign()
    form = visit.fields("revoke/")

    visit.post("revoke/", form)
    page = visit.post("revoke/", form)

    assert "You revoked" in page.content.decode()
    assert poa.evidence.filter(kind="revoke").count() == 1


def test_very_long_reason_is_refused_and_kept() -> None:
    poa = sent_poa()

    page = Visit.by_last_mail().send("decline/", reason="no " * 500)

    assert page.status_code == 200
    assert "no no no" in page.content.decode()
    assert fresh(poa).status == PoaStatus.SENT


# --- links ---------------------------------------------------------------------------------------------------------


def test_opening_pages_changes_nothing() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    before = (poa.evidence.count(), PoaDocument.objects.filter(pk=poa.pk).values().get())

    for path in ("", "step/broker/", "step/review/", "language/", "decline/", "revoke/", "copy.pdf"):
        visit.open(path)
        visit.client.head(visit.address(path))

    assert (poa.evidence.count(), PoaDocument.objects.filter(pk=poa.pk).values().get()) == before


def test_unknown_link_says_what_to_do_in_both_languages() -> None:
    page = Visit("no-such-link").open(HTTP_ACCEPT_LANGUAGE="es")

    assert page.status_code == 404
    assert page.content.decode().index("Este enlace no funciona") < page.content.decode().index(
        "This link does not work"
    )


def test_new_link_ends_the_old_one() -> None:
    poa = sent_poa()
    old = Visit.by_last_mail()
    again = actions.send_poa(poa_id=poa.pk, by=STAFF, at=SIGNED_AT)

    actions.send_mail(mail_id=again.pk, at=SIGNED_AT)

    page = old.open()
    assert page.status_code == 410
    assert "There is a newer link" in page.content.decode()
    assert Visit.by_last_mail().open().status_code == 200


def test_expired_link_explains_itself(clock: ManualClock) -> None:
    sent_poa()
    visit = Visit.by_last_mail()

    clock.at = SIGNED_AT + timedelta(days=31)

    page = visit.open()
    assert page.status_code == 410
    assert "This link has expired" in page.content.decode()


def test_link_still_works_after_signing(clock: ManualClock) -> None:
    sent_poa()
    visit = Visit.by_last_mail()
    visit.sign()

    clock.at = SIGNED_AT + timedelta(days=120)
    visit.enter_code()

    assert "Revoke my power of attorney" in visit.open().content.decode()


def test_link_of_a_voided_poa_says_so() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()

    actions.void_poa(poa_id=poa.pk, reason="Wrong plan.", by=STAFF, at=SIGNED_AT)

    assert "This document was withdrawn" in visit.open("step/review/").content.decode()


@pytest.mark.parametrize("headers", [{}, {"HTTP_SEC_FETCH_SITE": "cross-site"}])
def test_cross_site_form_changes_nothing(headers: dict[str, str]) -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    form = visit.fields("decline/") if headers else {"reason": ""}

    page = visit.client.post(visit.address("decline/"), form, **headers)  # type: ignore[arg-type]

    assert page.status_code == 403
    assert fresh(poa).status == PoaStatus.SENT


def test_link_is_not_in_the_database_or_journal() -> None:
    poa = sent_poa()
    token = token_in_last_mail()

    row = str(PoaDocument.objects.filter(pk=poa.pk).values().get())
    journal = str(list(poa.evidence.values()))
    mails = str(list(poa.mails.values()))

    assert token not in row + journal + mails


def test_pages_are_not_cached_and_send_no_referrer() -> None:
    sent_poa()

    page = Visit.by_last_mail().open("step/broker/")

    assert "no-store" in page["Cache-Control"]
    assert page["Referrer-Policy"] == "no-referrer"
    assert page["X-Frame-Options"] == "DENY"
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert " style=" not in page.content.decode()


def test_hostile_name_does_no_harm() -> None:
    job = installation(SIGNED_AT, customer=registered_customer(SIGNED_AT, first_name="<script>alert(1)</script>$body"))
    sent_poa(customer=job.customer, site=job.site)
    visit = Visit.by_last_mail()

    home = visit.sign(typed_name='<b>#image("x")</b> $limits')

    assert "<script>alert" not in visit.open().content.decode()
    assert "Signed. Thank you!" in home.content.decode()
    assert "<script>alert(1)</script>$body" in text_of_pdf(visit.open("copy.pdf").content)


def test_page_takes_few_queries(django_assert_max_num_queries: Any) -> None:
    """The link, what the visitor left or not, the signing, the wording."""
    sent_poa()
    visit = Visit.by_last_mail()

    with django_assert_max_num_queries(4):
        visit.open("step/broker/")


# --- storage -------------------------------------------------------------------------------------------------------


def test_S1_refusing_storage_keeps_the_signature_and_is_retried(settings: LazySettings) -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    sound = settings.STORAGES
    use_storage(settings, RefusingStorage)

    page = visit.sign()
    waiting = fresh(poa)
    settings.STORAGES = sound
    actions.sweep_poas(at=SIGNED_AT + timedelta(minutes=1))

    assert "still storing the signed document" in page.content.decode()
    assert "Signed. Thank you!" not in page.content.decode()
    assert (waiting.status, waiting.signature_text, waiting.seal_failures) == (PoaStatus.SEALING, "Carmen Reyes", 1)
    assert "the bucket is gone" in waiting.last_error
    assert fresh(poa).status == PoaStatus.SIGNED
    assert fresh(poa).signed_at == SIGNED_AT


def test_S2_hanging_storage_does_not_delay_the_page(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    use_storage(settings, HangingStorage)
    monkeypatch.setattr("poa_documents.portal.views.SEAL_WAIT_SECONDS", 0.2)

    page = visit.sign()  # with a page that waited for the storage, the test would end here
    HangingStorage.let_go.set()

    assert "still storing the signed document" in page.content.decode()
    assert fresh(poa).status == PoaStatus.SEALING


def test_S3_put_with_lost_answer_leaves_one_object_and_row(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    poa = sealing_poa()
    stored = []

    def answer_lost(content: bytes, **place: str) -> StoredFile:
        stored.append(store(content, folder=place["folder"], suffix=place["suffix"]))
        raise FileNotStored("the answer was lost")

    with monkeypatch.context() as patched:
        patched.setattr("poa_documents.actions.seals.store", answer_lost)
        assert actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT) == actions.SealOutcome.WAITING_FOR_STORAGE

    outcome = actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT)

    [poa_file] = stored
    assert outcome == actions.SealOutcome.SEALED
    assert fresh(poa).pdf_storage_key == poa_file.key
    folder = (settings.DATA_DIR / "files" / poa_file.key).parent
    assert [path.name for path in folder.glob(f"{poa_file.sha256}*")] == [f"{poa_file.sha256}.pdf"]


@pytest.mark.parametrize("harm", ["alter", "remove"])
def test_S4_S5_damaged_file_suspends_the_authority(harm: str, settings: LazySettings) -> None:
    poa = signed_poa()
    path = settings.DATA_DIR / "files" / poa.pdf_storage_key
    if harm == "alter":
        path.write_bytes(path.read_bytes().replace(b"%PDF", b"%PDX", 1))
    else:
        path.unlink()

    with pytest.raises(SealedFileAltered):
        actions.verify_or_suspend(poa_id=poa.pk, at=SIGNED_AT)

    assert fresh(poa).status == PoaStatus.SUSPENDED
    assert chain.verify(poa).is_intact


# --- mail ----------------------------------------------------------------------------------------------------------


def test_failing_mail_backs_off_and_is_finally_blocked(settings: LazySettings) -> None:
    poa = drafted_poa()
    owed = actions.send_poa(poa_id=poa.pk, by=STAFF, at=SIGNED_AT)
    settings.EMAIL_BACKEND = f"{__name__}.RefusingMail"
    at = SIGNED_AT

    for _ in range(20):
        actions.sweep_poas(at=at)
        at += timedelta(hours=7)

    owed.refresh_from_db()
    assert owed.is_blocked
    assert "mailbox unavailable" in owed.last_error
    assert owed in type(owed).objects.blocked()


class RefusingMail:
    def __init__(self, **_options: Any) -> None:
        pass

    def send_messages(self, _messages: Any) -> int:
        raise ConnectionRefusedError("mailbox unavailable")


def test_superseded_invitation_is_not_sent() -> None:
    poa = drafted_poa()
    first = actions.send_poa(poa_id=poa.pk, by=STAFF, at=SIGNED_AT)
    second = actions.send_poa(poa_id=poa.pk, by=STAFF, at=SIGNED_AT)

    outcomes = [actions.send_mail(mail_id=each.pk, at=SIGNED_AT) for each in (first, second, second)]

    assert outcomes == [actions.MailOutcome.NOT_NEEDED, actions.MailOutcome.SENT, actions.MailOutcome.NOT_NEEDED]
    assert len(mail.outbox) == 1


def test_mails_are_in_the_customers_language() -> None:
    spanish_poa()

    message = mail.outbox[-1]

    assert message.subject.startswith("Por favor revise y firme")
    assert "Hello" not in str(message.body)
    assert "Lone Star Home Energy" in str(message.body)


@pytest.mark.parametrize("kind", sorted(set(MailKind) - CASE_MAILS))
def test_every_kind_of_mail_has_text_and_html(kind: str) -> None:
    set_company_rules(contact="(512) 555-0100")
    poa = signed_poa()
    owed = poa.mails.create(kind=kind, created_at=SIGNED_AT, due_at=SIGNED_AT)

    message = compose(owed, poa, link="https://example.com/portal/x/", pdf=None)

    assert "{" not in message.subject + str(message.body)
    assert message.alternatives[0][1] == "text/html"
    assert '<a href="tel:+15125550100">' in str(message.alternatives[0][0])


# --- the sweep ------------------------------------------------------------------------------------------------------


def test_sweep_makes_up_for_a_lost_message() -> None:
    poa = sealing_poa()

    actions.sweep_poas(at=SIGNED_AT)
    actions.sweep_poas(at=SIGNED_AT)

    assert fresh(poa).status == PoaStatus.SIGNED
    assert [message.subject for message in mail.outbox][-1] == "Your signed power of attorney"


def test_file_damaged_after_signing_is_not_served(settings: LazySettings) -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.sign()
    (settings.DATA_DIR / "files" / fresh(poa).pdf_storage_key).write_bytes(b"something else")

    page = visit.open("copy.pdf")

    assert page.status_code == 503
    assert "cannot open it right now" in page.content.decode()
