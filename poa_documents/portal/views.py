"""The customer's pages. Each POST calls one action; a GET changes nothing."""

import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts import staff_browsers
from core import clock
from core.actors import Actor
from core.dates import chicago_day
from core.downloads import file_response
from core.moves import MoveNotAllowed
from installations.models import Language
from poa_documents import actions
from poa_documents.authority_check import AuthorityMissing, read_signed_pdf
from poa_documents.document_text import text_of
from poa_documents.models import PoaDocument, Statement
from poa_documents.pdf.readability_sample import sample_of
from poa_documents.phrases import phrases_in
from poa_documents.portal import kept_entries
from poa_documents.portal.forms import MAX_REASON_LENGTH, ConsentForm, SignatureForm
from poa_documents.portal.kept_entries import AGAIN
from poa_documents.portal.link_access import client_ip, form_key, link_page, token_of, user_agent
from poa_documents.portal.presenters import (
    home_context,
    kept_drawing,
    language_of,
    page_context,
    shown_statements,
    step_context,
)
from poa_documents.portal.steps import BY_NAME, NUMBERS, Step, current_step
from poa_documents.queries import consents_for
from poa_documents.signature import SignatureNotUsable
from poa_documents.states import SIGNABLE_STATUSES, PoaStatus
from poa_documents.wording_rendering import sha256_of_words

logger = logging.getLogger(__name__)

SEAL_WAIT_SECONDS = 3.0
_WITH_TICKS = frozenset({"broker", "electronic", "confirm"})
_NOTICES = frozenset({"words_changed", "signature_changed"})
_REVOCABLE = frozenset({PoaStatus.SEALING, PoaStatus.SIGNED, PoaStatus.SUSPENDED, PoaStatus.EXHAUSTED})


@link_page
def home(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    return render_home(request, poa)


def render_home(
    request: HttpRequest,
    poa: PoaDocument,
    *,
    template: str = "portal/home.html",
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """
    Show the home page. A higher package may pass a template that extends `portal/home.html` and fills its `progress`.
    """
    step = None
    if poa.status in SIGNABLE_STATUSES:
        step = current_step(consents_for(poa, text_of(poa)), has_signature=bool(poa.signature_text))
    return _render(request, poa, template, {**home_context(poa, step=step), **(extra or {})}, status=status)


@link_page
def step(request: HttpRequest, poa: PoaDocument, *, name: str) -> HttpResponse:
    """Show or take one step. A step that is not reachable yet redirects to the current one."""
    if poa.status not in SIGNABLE_STATUSES or poa.paper_wanted_at is not None or name not in BY_NAME:
        return _to_home(request)
    wanted = BY_NAME[name]
    now_at = current_step(consents_for(poa, text_of(poa)), has_signature=bool(poa.signature_text))
    if NUMBERS[wanted.name] > NUMBERS[now_at.name]:
        return _to_step(request, now_at.name)
    if request.method != "POST":
        return _show_step(request, poa, wanted)
    try:
        if wanted.name == "signature":
            return _take_signature(request, poa, wanted)
        if wanted.name == "review":
            return _sign(request, poa, wanted)
        return _take_consents(request, poa, wanted)
    except actions.FormatNotShown:
        word = str(request.POST.get("sample_word", ""))
        return _again(request, poa, wanted, "word_wrong" if word.strip() else "word_missing")
    except actions.WordingChanged:
        return _again(request, poa, wanted, "words_changed")
    except (
        MoveNotAllowed,
        actions.PaperWanted,
    ):  # signed, declined or voided in the meantime, perhaps on another device: the home page says so
        return _to_home(request)


def _take_consents(request: HttpRequest, poa: PoaDocument, wanted: Step) -> HttpResponse:
    form = ConsentForm(wanted.statements, needs_ticks=wanted.name in _WITH_TICKS, posted=request.POST)
    word = str(request.POST.get("sample_word", ""))
    given = consents_for(poa, text_of(poa))
    if any(statement not in given for statement in form.unticked):
        is_word_missing = Statement.ERECORD in form.unticked and not word.strip()
        return _again(request, poa, wanted, "word_missing" if is_word_missing else "unticked")
    for statement in wanted.statements:
        actions.record_consent(
            poa_id=poa.pk,
            statement=statement,
            words_sha256=form.words_sha256(statement),
            by=_customer(poa),
            at=clock.now(),
            ip_address=client_ip(request),
            user_agent=user_agent(request),
            word_in_sample=word,
        )
    return _on_to_next(request, poa, wanted)


def _take_signature(request: HttpRequest, poa: PoaDocument, wanted: Step) -> HttpResponse:
    form = SignatureForm.posted(request.POST)
    try:
        actions.keep_signature(
            poa_id=poa.pk,
            signature_kind=form.kind,
            signature_text=form.text,
            is_name_confirmed=form.is_name_confirmed,
            by=_customer(poa),
            at=clock.now(),
        )
    except SignatureNotUsable as problem:
        return _again(request, poa, wanted, problem.code)
    except actions.NameDiffers:
        return _again(request, poa, wanted, "name_differs")
    return _on_to_next(request, poa, wanted)


def _sign(request: HttpRequest, poa: PoaDocument, wanted: Step) -> HttpResponse:
    if poa.signature_text and request.POST.get("signature_sha256") != sha256_of_words(poa.signature_text):
        return _again(request, poa, wanted, "signature_changed")
    try:
        actions.sign_poa(
            poa_id=poa.pk,
            signature_kind=poa.signature_kind,
            signature_text=poa.signature_text,
            document_sha256=str(request.POST.get("document_sha256", "")),
            by=_customer(poa),
            at=clock.now(),
            ip_address=client_ip(request),
            user_agent=user_agent(request),
            browser_of=staff_browsers.recent_staff_id(request),
        )
    except (actions.ConsentIncomplete, SignatureNotUsable):
        return _to_next(request, poa)
    _seal_at_once(poa.pk)
    return _to_home(request)


def _seal_at_once(poa_id: int) -> None:
    """Try to seal right away, so that the customer gets the copy. If it fails, the sweep does it later."""
    try:
        actions.seal_poa(poa_id=poa_id, at=clock.now(), within_seconds=SEAL_WAIT_SECONDS)
    except Exception:
        logger.exception("POA %s could not be sealed while the customer waited. The sweep will retry.", poa_id)


@link_page
def choose_language(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    language = request.POST.get("language", "")
    if request.method == "POST" and language in Language.values:
        actions.choose_language(poa_id=poa.pk, language=language, by=_customer(poa), at=clock.now())
        name = request.POST.get("step", "")
        if name in BY_NAME:
            return _to_step(request, name)
    return _to_home(request)


@link_page
def revoke(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Revoke the authority from the home page, which then shows the receipt."""
    if request.method == "POST" and poa.status in _REVOCABLE:
        _run_if_allowed(poa, actions.revoke_poa)
    return _to_home(request)


@link_page
def want_paper(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Withdraw the consent to electronic records from the home page."""
    if request.method == "POST":
        _run_if_allowed(poa, actions.withdraw_econsent)
    return _to_home(request)


def _run_if_allowed(poa: PoaDocument, action: Callable[..., object]) -> None:
    try:
        action(poa_id=poa.pk, by=_customer(poa), at=clock.now())
    except MoveNotAllowed as late:
        logger.info("POA %s changed before the customer's request. The page shows its status. %s", poa.pk, late)


@link_page
def decline(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    if poa.status not in SIGNABLE_STATUSES:
        return _to_home(request)
    reason = request.POST.get("reason", "").replace("\x00", "").strip()  # PostgreSQL cannot store NUL in text
    too_long = len(reason) > MAX_REASON_LENGTH
    if too_long:
        kept_entries.keep(request, poa, "decline")
        return redirect(f"{reverse('portal:decline', kwargs={'token': token_of(request)})}?{AGAIN}")
    if request.method != "POST":
        kept = kept_entries.find(request, poa, "decline")
        error = _phrase(poa, "decline", "reason_too_long") if kept else ""
        words = phrases_in(language_of(poa))["decline"]
        reason = str(kept.fields.get("reason", "")) if kept else ""
        context = {"page": words, "page_name": "decline", "reason": reason, "error": error}
        return _render(request, poa, "portal/end.html", context)
    kept_entries.forget(request, poa, "decline")
    try:
        actions.decline_poa(poa_id=poa.pk, reason=reason, by=_customer(poa), at=clock.now())
    except MoveNotAllowed:
        logger.info("POA %s changed before the customer declined it. The page shows its status.", poa.pk)
    return _to_home(request)


@link_page
def sample(_request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """The small file by which customers show that they can open the format."""
    content = sample_of(poa, language_of(poa))
    return file_response(content, name="sample.pdf", content_type="application/pdf", inline=True)


@link_page
def copy(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    try:
        content = read_signed_pdf(poa)
    except AuthorityMissing:
        extra = {"alert": _phrase(poa, "home", "storage_away")} if poa.pdf_sha256 else {}
        return render_home(request, poa, extra=extra, status=503 if poa.pdf_sha256 else 404)
    name = f"{_phrase(poa, 'pdf', 'file_name')}-{chicago_day(poa.created_at)}.pdf"
    return file_response(content, name=name, content_type="application/pdf")


def _again(request: HttpRequest, poa: PoaDocument, wanted: Step, problem: str) -> HttpResponse:
    """Keep what was typed and redirect to its page, which says what is wrong."""
    kept_entries.keep(request, poa, wanted.name, note=problem)
    address = reverse("portal:step", kwargs={"token": token_of(request), "name": wanted.name})
    return redirect(f"{address}?{AGAIN}")


def _show_step(request: HttpRequest, poa: PoaDocument, wanted: Step) -> HttpResponse:
    kept = kept_entries.find(request, poa, wanted.name)
    problem = kept.note if kept else ""
    text = text_of(poa)
    given = consents_for(poa, text)
    has_typed = kept is not None and problem not in _NOTICES
    form = ConsentForm(
        wanted.statements,
        needs_ticks=wanted.name in _WITH_TICKS and has_typed,
        posted=kept.fields if kept is not None and has_typed else {},
    )
    unticked = set(form.unticked) - set(given)
    ticked = {each for each in wanted.statements if has_typed and form.is_ticked(each)} | set(given)
    error = ""
    if problem and problem not in _NOTICES and problem != "unticked":
        error = _phrase(poa, wanted.name, problem).format(name=poa.customer)
    context = {
        **step_context(poa, wanted, text, given),
        "statements": shown_statements(wanted, text, given, ticked=ticked, unticked=unticked),
        "notice": _phrase(poa, "page", problem) if problem in _NOTICES else "",
        "has_errors": bool(unticked or error),
        "error": error,
        "error_at": "sample-word" if wanted.name == "electronic" else "signature-fields",
        "word": kept.fields.get("sample_word", "") if kept is not None and has_typed else "",
    }
    if wanted.name == "signature":
        context["signature"] = (
            SignatureForm.posted(kept.fields)
            if kept is not None and has_typed
            else SignatureForm.kept(poa.signature_kind, poa.signature_text)
        )
        context["asks_about_name"] = problem == "name_differs"
        context["name_hint"] = _phrase(poa, "signature", "name_hint").format(name=poa.customer)
    if wanted.name == "review":
        context |= {
            "customer_name": str(poa.customer),
            "address": str(poa.site),
            "drawing": kept_drawing(poa),
            "typed_name": poa.signature_text,
            "signature_sha256": sha256_of_words(poa.signature_text),
            "agreements": [
                {"label": _phrase(poa, "pdf", statement), "step": name}
                for name, each in BY_NAME.items()
                for statement in each.statements
            ],
        }
    return _render(request, poa, f"portal/steps/{wanted.name}.html", context)


def _render(
    request: HttpRequest, poa: PoaDocument, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    around = page_context(poa, token=token_of(request), form_key=form_key(poa))
    response = render(request, template, {**around, **context}, status=status)
    response.headers["Content-Language"] = around["language"]
    return response


def _on_to_next(request: HttpRequest, poa: PoaDocument, taken: Step) -> HttpResponse:
    kept_entries.forget(request, poa, taken.name)
    return _to_next(request, poa)


def _to_next(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    fresh = PoaDocument.objects.select_related("customer", "site", "envelope", "promise", "template").get(pk=poa.pk)
    ahead = current_step(consents_for(fresh, text_of(fresh)), has_signature=bool(fresh.signature_text))
    return _to_step(request, ahead.name)


def _to_step(request: HttpRequest, name: str) -> HttpResponse:
    return redirect("portal:step", token=token_of(request), name=name)


def _to_home(request: HttpRequest) -> HttpResponse:
    return redirect("portal:home", token=token_of(request))


def _customer(poa: PoaDocument) -> Actor:
    return Actor.customer(poa.customer.public_id)


def _phrase(poa: PoaDocument, section: str, name: str | Statement) -> str:
    return phrases_in(language_of(poa))[section][str(name)]
