"""The customer's pages open with a link and a code, and with nothing less."""

import re
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client

from core.actors import Actor
from installations.actions import correct_contact
from installations.models import ContactChange
from poa_documents import actions
from poa_documents.actions import CodeVerdict
from poa_documents.document_text import text_of
from poa_documents.journal import chain
from poa_documents.models import ContactCode, CustomerMail, MailKind, PoaDocument, Statement
from poa_documents.portal.kept_entries import is_kept_until_code
from poa_documents.states import PoaStatus
from tests.factories.installations import customer as registered_customer
from tests.factories.installations import installation
from tests.factories.poa_documents import SIGNED_AT, STAFF, prove_contact, sent_poa, signed_poa
from tests.integration.poa_documents.portal_visits import (
    ManualClock,
    Visit,
    code_in_last_mail,
    fresh,
    token_in_last_mail,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
PAGES = Path(__file__).resolve().parents[3] / "templates/portal"


@pytest.fixture
def poa() -> PoaDocument:
    return sent_poa()


@pytest.fixture
def visit(poa: PoaDocument) -> Visit:
    """A customer who has the link and has not typed a code."""
    return Visit(token_in_last_mail())


def another_code(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


# --- before the code -------------------------------------------------------------------------------------------------


def test_link_alone_shows_only_the_company_and_a_button(poa: PoaDocument, visit: Visit) -> None:
    for path in ("", "step/broker/", "step/review/", "decline/", "copy.pdf", "code/", "enter/"):
        page = visit.open(path).content.decode()

        assert "Send me the code" in page
        assert "Lone Star Home Energy" in page
        for private in (poa.customer.first_name, poa.customer.last_name, poa.site.address_1, "@example.com,", "•••"):
            assert private not in page.replace("help@example.com", "")


def test_scanners_may_open_the_link_any_number_of_times(poa: PoaDocument, visit: Visit) -> None:
    before = (poa.evidence.count(), PoaDocument.objects.filter(pk=poa.pk).values().get())

    for path in ("", "code/", "enter/", "leave/", "step/broker/"):
        for _ in range(20):
            visit.open(path)
            visit.client.head(visit.address(path))

    assert (poa.evidence.count(), PoaDocument.objects.filter(pk=poa.pk).values().get()) == before
    assert len(mail.outbox) == 1


def test_code_page_uses_the_customers_language_or_the_other() -> None:
    job = installation(SIGNED_AT, customer=registered_customer(SIGNED_AT, language="es"))
    poa = sent_poa(customer=job.customer, site=job.site)
    visit = Visit(token_in_last_mail())

    spanish, english = visit.open(), visit.open("?language=en")

    assert "Enviarme el código" in spanish.content.decode()
    assert "Send me the code" in english.content.decode()
    assert fresh(poa).template.language == "es"


def test_code_mail_is_translated_with_no_code_in_subject() -> None:
    job = installation(SIGNED_AT, customer=registered_customer(SIGNED_AT, language="es"))
    sent_poa(customer=job.customer, site=job.site)

    Visit(token_in_last_mail()).ask_for_code()

    message = mail.outbox[-1]
    assert message.to == [job.customer.email]
    assert "Su código" in message.subject
    assert code_in_last_mail() not in message.subject
    assert "/portal/" not in str(message.body)


# --- the code ------------------------------------------------------------------------------------------------------


def test_right_code_opens_the_pages_and_proves_the_address(poa: PoaDocument, visit: Visit) -> None:
    visit.ask_for_code()

    page = visit.enter(code_in_last_mail())

    assert f"Hello {poa.customer.first_name}" in page.content.decode()
    assert fresh(poa).customer.contact_verified_at == SIGNED_AT
    proof = poa.evidence.get(kind="contact_verified")
    assert (proof.details["sent_to"], proof.details["ip_address"]) == (poa.customer.email, "127.0.0.1")
    assert chain.verify(poa).is_intact


def test_code_is_stored_only_as_a_hash(poa: PoaDocument, visit: Visit) -> None:
    visit.ask_for_code()

    kept = str([*ContactCode.objects.values(), *poa.evidence.values(), *CustomerMail.objects.values()])

    assert code_in_last_mail() not in kept


@pytest.mark.parametrize("typed", [" {0} ", "{1} {2}", "{1}-{2}"])
def test_code_may_be_typed_with_spaces_and_dashes(visit: Visit, typed: str) -> None:
    visit.ask_for_code()
    code = code_in_last_mail()

    page = visit.enter(typed.format(code, code[:3], code[3:]))

    assert "Hello" in page.content.decode()


def test_session_is_for_this_browser_with_http_only_cookie(
    poa: PoaDocument, visit: Visit, settings: LazySettings
) -> None:
    settings.SESSION_COOKIE_SECURE = True
    visit.client = Client()
    visit.enter_code()

    cookies = [cookie for name, cookie in visit.client.cookies.items() if name.startswith("__Host-portal-")]

    assert "Send me the code" in Visit(visit.token).open().content.decode()
    assert len(cookies) == 2
    assert all(each["httponly"] and each["secure"] and each["samesite"] == "Lax" for each in cookies)
    assert all(each["path"] == "/" and not each["domain"] for each in cookies), "browsers refuse the name otherwise"
    assert all(visit.token not in each.OutputString() for each in cookies)


def test_session_of_one_link_does_not_open_another(visit: Visit) -> None:
    visit.enter_code()
    sent_poa()

    foreign = Visit(token_in_last_mail(), visit.client)

    assert "Send me the code" in foreign.open().content.decode()
    page = foreign.enter(code_in_last_mail_of(visit)).content.decode()

    assert "No code was requested in this browser" in page
    assert "Hello" not in page


def code_in_last_mail_of(visit: Visit) -> str:
    visit.ask_for_code_again()
    return code_in_last_mail()


def test_stolen_session_cookie_is_useless_in_another_browser(visit: Visit) -> None:
    visit.enter_code()
    thief = Client()
    for name, cookie in visit.client.cookies.items():
        if "session" in name:
            thief.cookies[name] = cookie.value

    assert "Send me the code" in Visit(visit.token, thief).open().content.decode()


def test_wrong_codes_are_counted_and_the_sixth_ignored(visit: Visit) -> None:
    visit.ask_for_code()
    code = code_in_last_mail()

    left = [visit.enter(another_code(code)).content.decode() for _ in range(5)]
    late = visit.enter(code)

    assert "Tries left: 4" in left[0]
    assert "entered too many times" in left[4]
    assert "entered too many times" in late.content.decode()


def test_code_works_once(visit: Visit) -> None:
    visit.enter_code()
    code = code_in_last_mail()
    visit.post("leave/", {"form_key": visit.fields("decline/")["form_key"]})

    again = visit.enter(code)

    assert "was already used" in again.content.decode()


def test_repeating_the_right_code_is_no_mistake(visit: Visit) -> None:
    visit.enter_code()
    key = visit.fields("decline/")["form_key"]

    again = visit.post("enter/", {"form_key": key, "code": code_in_last_mail()})

    assert "Hello" in again.content.decode()


def test_code_ends_by_age_or_a_newer_one(visit: Visit, clock: ManualClock) -> None:
    visit.ask_for_code()
    first = code_in_last_mail()
    visit.ask_for_code()
    second = code_in_last_mail()
    older = visit.enter(first)

    clock.at += timedelta(minutes=10)
    late = visit.enter(second)

    assert "This is not the right code" in older.content.decode()
    assert "This code has expired" in late.content.decode()


def test_browser_gets_five_codes_an_hour_then_a_time(visit: Visit, clock: ManualClock) -> None:
    for _ in range(5):
        visit.ask_for_code()
        clock.at += timedelta(minutes=5)
    refused = visit.ask_for_code()

    clock.at = SIGNED_AT + timedelta(minutes=61)
    allowed = visit.ask_for_code()

    assert "after 11:00 a.m." in refused.content.decode()
    assert allowed.status_code == 200
    assert len(mail.outbox) == 7


def test_other_peoples_guesses_do_not_affect_the_customers_code(visit: Visit) -> None:
    visit.ask_for_code()
    code = code_in_last_mail()
    guesser = Visit(visit.token)
    guesser.ask_for_code()
    for guess in range(6):
        guesser.enter(f"{guess:06}")

    assert "Hello" in visit.enter(code).content.decode()


def test_requests_from_many_browsers_replace_the_link(poa: PoaDocument, visit: Visit, clock: ManualClock) -> None:
    for _ in range(12):
        Visit(visit.token).ask_for_code()

    refused = Visit(visit.token).ask_for_code()
    Visit(visit.token).ask_for_code()
    clock.at += timedelta(minutes=1)
    actions.sweep_poas(at=clock.at)

    assert "we are replacing it" in refused.content.decode()
    assert poa.mails.filter(kind=MailKind.SAFER_LINK).count() == 1
    assert visit.open().status_code == 410
    assert "Hello" in Visit.by_last_mail().open().content.decode()


def test_failed_code_mail_is_reported_and_sent_by_the_sweep(visit: Visit, settings: LazySettings) -> None:
    sound = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "tests.integration.poa_documents.test_portal.RefusingMail"

    page = visit.ask_for_code()
    settings.EMAIL_BACKEND = sound
    actions.sweep_poas(at=SIGNED_AT + timedelta(minutes=1))

    assert "could not be sent just now" in page.content.decode()
    assert "Hello" in visit.enter(code_in_last_mail()).content.decode()


def test_unneeded_code_mail_is_not_sent(poa: PoaDocument) -> None:
    owed = actions.ask_for_code(poa_id=poa.pk, browser="a" * 22, at=SIGNED_AT)

    outcome = actions.send_mail(mail_id=owed.pk, at=SIGNED_AT + timedelta(minutes=11))

    assert outcome == actions.MailOutcome.NOT_NEEDED


def test_browser_without_cookies_is_told_before_any_mail(visit: Visit) -> None:
    form = visit.fields("")

    page = Client().post(visit.address("code/"), form, follow=True)

    assert page.status_code == 200
    assert "Please allow cookies" in page.content.decode()
    assert len(mail.outbox) == 1


# --- the open session -------------------------------------------------------------------------------------------------


def test_session_ends_when_idle_and_lasts_while_used(visit: Visit, clock: ManualClock) -> None:
    visit.enter_code()
    for _ in range(5):
        clock.at += timedelta(minutes=25)
        assert "Hello" in visit.open().content.decode()

    clock.at += timedelta(minutes=31)

    assert "Send me the code" in visit.open().content.decode()


def test_session_ends_after_twelve_hours_of_use(visit: Visit, clock: ManualClock) -> None:
    visit.enter_code()

    for _ in range(30):
        clock.at += timedelta(minutes=25)
        visit.open()

    assert "Send me the code" in visit.open().content.decode()


def test_leaving_ends_the_session(visit: Visit) -> None:
    visit.enter_code()

    page = visit.post("leave/", {"form_key": visit.fields("decline/")["form_key"]})

    assert "Send me the code" in page.content.decode()


def test_leaving_ends_every_copy_of_the_cookies(visit: Visit) -> None:
    visit.enter_code()
    copied = SimpleCookie({name: cookie.value for name, cookie in visit.client.cookies.items()})
    visit.post("leave/", {"form_key": visit.fields("decline/")["form_key"]})
    thief = Client()
    thief.cookies = copied

    page = Visit(visit.token, thief).open()

    assert "Send me the code" in page.content.decode()
    assert "Send me the code" not in visit.enter_code().open().content.decode()


def test_entries_after_session_end_return_after_the_code(poa: PoaDocument, visit: Visit, clock: ManualClock) -> None:
    visit.enter_code().agree_to_everything()
    form = {**visit.fields("step/signature/"), "kind": "TYPED", "typed_name": "Carmen “Meche” Reyes"}
    clock.at += timedelta(hours=1)

    shut = visit.post("step/signature/", form)
    asked = visit.post("code/", visit.fields_of(shut))
    back = visit.post("enter/", {**visit.fields_of(asked), "code": code_in_last_mail()})
    kept_before = fresh(poa).signature_text
    asked_name = visit.post("step/signature/", visit.fields_of(back))
    again = visit.post("step/signature/", {**visit.fields_of(asked_name), "kind": "TYPED", "is_my_name": "yes"})

    assert "just entered is saved" in shut.content.decode()
    assert "Send what I entered" in back.content.decode()
    assert kept_before == ""
    assert "Carmen “Meche” Reyes" in again.content.decode()
    assert fresh(poa).signature_text == "Carmen “Meche” Reyes"


def test_posts_without_a_code_count_for_nothing(poa: PoaDocument, visit: Visit) -> None:
    key = visit.fields("")["form_key"]
    text = text_of(poa)

    visit.post("decline/", {"form_key": key, "reason": "no"})
    visit.post("step/broker/", {"form_key": key, "words_BROKER_FACTS": text.sha256_of(Statement.BROKER_FACTS)})
    visit.post("language/", {"form_key": key, "language": "es"})

    assert fresh(poa).status == PoaStatus.SENT
    assert fresh(poa).template.language == "en"
    assert not poa.consents.exists()


def test_every_form_behind_the_code_is_kept() -> None:
    """The page says that nothing is lost. The forms of the code page are sent without a session."""
    templates = [file.read_text() for file in PAGES.rglob("*.html")]
    forms = {name for text in templates for name in re.findall(r'action="{% url .\w+:(\w+). ', text)}
    assert forms > {"step", "revoke", "hold", "code"}

    paths = {name: f"/{name}/{'review/' if name == 'step' else ''}" for name in forms}

    assert {name for name, path in paths.items() if not is_kept_until_code(path)} == {"code", "enter", "leave"}


def test_action_refuses_signing_without_a_proven_address(poa: PoaDocument) -> None:
    text = text_of(poa)
    consent: dict[str, Any] = {
        "poa_id": poa.pk,
        "statement": Statement.BROKER_FACTS,
        "words_sha256": text.sha256_of(Statement.BROKER_FACTS),
        "by": Actor.customer(poa.customer.public_id),
        "at": SIGNED_AT,
    }

    with pytest.raises(actions.ContactNotProved):
        actions.record_consent(**consent)

    prove_contact(poa)
    assert actions.record_consent(**consent)


# --- the page of the code ------------------------------------------------------------------------------------------


def test_reloading_the_code_page_sends_no_other_mail(visit: Visit) -> None:
    visit.ask_for_code()
    sent = len(mail.outbox)

    reloaded = [visit.open(path).content.decode() for path in ("code/", "enter/", "")]

    assert all('id="code"' in page for page in reloaded)
    assert len(mail.outbox) == sent
    assert "Hello" in visit.enter(code_in_last_mail()).content.decode()


def test_other_browser_has_no_field_while_a_code_counts(visit: Visit) -> None:
    visit.ask_for_code()

    assert "Send me the code" in Visit(visit.token).open().content.decode()


@pytest.mark.parametrize("typed", ["", "12", "  1 2 3 ", "abcdef"])
def test_incomplete_entries_cost_no_attempt(visit: Visit, typed: str) -> None:
    visit.ask_for_code()
    code = code_in_last_mail()

    pages = [visit.enter(typed).content.decode() for _ in range(6)]

    assert "did not count as a try" in pages[5]
    assert "Hello" in visit.enter(code).content.decode()


@pytest.mark.parametrize("zero", ["\uff10", "\u0660", "\u06f0"], ids=["full-width", "Arabic-Indic", "Persian"])
def test_digits_of_other_scripts_are_accepted(visit: Visit, zero: str) -> None:
    visit.ask_for_code()
    code = "".join(chr(ord(zero) + int(digit)) for digit in code_in_last_mail())

    assert "Hello" in visit.enter(f" {code[:3]}-{code[3:]} ").content.decode()


def test_last_entrys_error_is_gone_on_a_new_visit(visit: Visit) -> None:
    visit.ask_for_code()
    assert "Tries left: 4" in visit.enter(another_code(code_in_last_mail())).content.decode()

    assert "Tries left" not in visit.open().content.decode()


def test_code_page_forms_end_in_a_redirect(visit: Visit) -> None:
    key = visit.fields("")["form_key"]
    forms: list[tuple[str, dict[str, str]]] = [("code/", {}), ("enter/", {"code": "12"}), ("leave/", {})]
    forms.extend([("enter/", {"code": "123456"}), ("decline/", {"reason": "no"})])
    forms.extend(("code/", {}) for _ in range(6))

    answers = [visit.client.post(visit.address(path), {**form, "form_key": key}) for path, form in forms]

    assert {answer.status_code for answer in answers} == {302}


# --- another address -----------------------------------------------------------------------------------------------


def change_address(poa: PoaDocument, email: str) -> None:
    correct_contact(customer_id=poa.customer_id, email=email, phone="", language="en", by=STAFF, at=SIGNED_AT)


def test_changed_address_ends_link_codes_and_sessions_immediately(poa: PoaDocument, visit: Visit) -> None:
    other = Visit(visit.token).enter_code()
    visit.ask_for_code()
    code = code_in_last_mail()
    key = visit.fields("")["form_key"]

    change_address(poa, "new@example.com")

    assert "no longer work" in other.open().content.decode()
    assert visit.post("enter/", {"form_key": key, "code": code}).status_code == 410
    answer = actions.enter_code(
        poa_id=poa.pk, browser=visit.client.cookies["portal-browser"].value, digits=code, at=SIGNED_AT
    )
    assert answer.verdict == CodeVerdict.NONE_ASKED
    assert fresh(poa).customer.contact_verified_at is None


def test_old_address_is_told_once_and_it_is_recorded(poa: PoaDocument) -> None:
    old = poa.customer.email

    change_address(poa, "new@example.com")
    actions.sweep_poas(at=SIGNED_AT)
    actions.sweep_poas(at=SIGNED_AT)

    notices = [message for message in mail.outbox if message.to == [old]][1:]
    assert [message.subject for message in notices] == ["Your e-mail address with us was changed"]
    entry = poa.evidence.get(kind="contact_changed")
    assert (entry.details["changed_by"], entry.details["new_email"]) == (f"staff:{UUID(int=1)}", "new@example.com")
    assert chain.verify(poa).is_intact
    assert not ContactChange.objects.filter(settled_at__isnull=True).exists()


def test_changing_an_address_back_does_not_revive_the_link(poa: PoaDocument, visit: Visit) -> None:
    old = poa.customer.email

    change_address(poa, "new@example.com")
    change_address(poa, old)
    actions.sweep_poas(at=SIGNED_AT)

    assert visit.open().status_code == 410


def test_link_sent_after_the_change_works(poa: PoaDocument) -> None:
    change_address(poa, "new@example.com")
    owed = actions.send_poa(poa_id=poa.pk, by=STAFF, at=SIGNED_AT)
    actions.send_mail(mail_id=owed.pk, at=SIGNED_AT)

    actions.sweep_poas(at=SIGNED_AT)

    assert "Hello" in Visit.by_last_mail().open().content.decode()


# --- links that ended ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("decline", "This request was declined"),
        ("void", "This document was withdrawn"),
        ("expire", "This link has expired"),
    ],
)
def test_each_ended_link_says_what_to_do_without_names(
    poa: PoaDocument, visit: Visit, clock: ManualClock, end: str, words: str
) -> None:
    if end == "decline":
        actions.decline_poa(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=SIGNED_AT)
    elif end == "void":
        actions.void_poa(poa_id=poa.pk, reason="Wrong plan.", by=STAFF, at=SIGNED_AT)
    else:
        clock.at = SIGNED_AT + timedelta(days=31)
        actions.sweep_poas(at=clock.at)

    page = visit.open()

    assert page.status_code == 410
    assert words in page.content.decode()
    assert poa.customer.first_name not in page.content.decode()


def test_signed_customers_page_needs_a_code_too() -> None:
    poa = signed_poa()
    token = token_in_last_mail()

    shut = Visit(token).open().content.decode()
    opened = Visit(token).enter_code().open().content.decode()

    assert "Signed" not in shut
    assert "Signed. Thank you!" in opened
    assert fresh(poa).status == PoaStatus.SIGNED
