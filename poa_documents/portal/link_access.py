"""
What every page behind a customer's link shares: finding the POA, checking the session, and rejecting foreign forms.

The link names the POA. The code typed in this browser replaces a sign-in (`browser_sessions`). The key in each form
replaces a CSRF cookie: it is derived from the link's hash, so only a page opened through the link has it, and browsers
send the session cookie only with requests from our own pages.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import get_language_from_request
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from core import clock, rate_limits
from core.company_rules import current_rules
from core.rate_limits import RateLimitReached
from installations.models import Language
from poa_documents import actions
from poa_documents.limits import format_time
from poa_documents.links import CODE_MINUTES, LinkExpired, LinkRetired, LinkUnknown, find_poa
from poa_documents.models import PoaDocument
from poa_documents.phrases import phrases_in
from poa_documents.portal import browser_sessions, kept_entries
from poa_documents.portal.presenters import language_of, masked_email
from poa_documents.states import PoaStatus

FORM_KEY_FIELD = "form_key"
LANGUAGE_FIELD = "language"
VERDICT_FIELD = "code"
"""Query parameter with the result of the last code. The page shows it as far as it is still true."""
TOO_MANY = "TOO_MANY"
ASK_OFFICE = "office"
"""Query parameter on an expired link's page: no new link could be sent."""
_SAID_ALONE = frozenset({"INCOMPLETE", "NOT_SENT", "USED", "NONE_ASKED"})
"""Verdicts that the code's row does not show."""

# Ended before anything was signed. The page says so to anyone who has the link, without names.
_CLOSED = frozenset({PoaStatus.DECLINED, PoaStatus.EXPIRED, PoaStatus.VOIDED})

P = ParamSpec("P")
LinkView = Callable[Concatenate[HttpRequest, PoaDocument, P], HttpResponse]


def link_page(view: LinkView[P]) -> Callable[..., HttpResponse]:
    """
    Decorate a view of a POA to take the link's `token` from the URL.

    Without a session the view is not called: the page offers a code, and a form that arrived is kept. An unknown or
    ended link, or a form that did not come from our own page, gets a page that says what to do.
    """

    @page_without_code
    @wraps(view)
    def show(request: HttpRequest, poa: PoaDocument, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        opened = browser_sessions.started_at(request, poa, at=clock.now())
        if opened is not None:
            response = view(request, poa, *args, **kwargs)
            if request.method == "POST":
                kept_entries.forget_waiting(request, poa)
            browser_sessions.extend(request, response, poa, opened=opened, at=clock.now())
            return response
        if request.method == "POST":
            kept_entries.keep_until_code(request, poa, below=below(request))
            return redirect_to_code_page(request)
        return show_code_page(request, poa)

    return show


def page_without_code(view: LinkView[P]) -> Callable[..., HttpResponse]:
    """Decorate a view that needs the link but no session. It must show nothing about the customer."""

    @wraps(view)
    def find_and_show(request: HttpRequest, token: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            poa = find_poa(token, at=clock.now())
        except LinkUnknown:
            return _unknown(request)
        except LinkRetired as retired:
            return show_problem(request, f"retired_{retired.because}", status=410)
        except LinkExpired as expired:
            return _expired(request, expired.poa)
        if request.method == "POST" and not _is_from_our_page(request, poa):
            return show_problem(request, "form", status=403)
        is_open = browser_sessions.started_at(request, poa, at=clock.now()) is not None
        if poa.status in _CLOSED and not is_open:
            return show_problem(request, f"closed_{poa.status}", status=410)
        if request.method == "POST":
            try:
                rate_limits.count(rate_limits.LINK_FORM, poa.token_hash, client_ip(request) or "")
            except RateLimitReached as often:
                return _too_many_requests(request, often)
        return view(request, poa, *args, **kwargs)

    return csrf_exempt(never_cache(require_http_methods(["GET", "HEAD", "POST"])(find_and_show)))


def show_code_page(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """
    Show the button that requests a code or, while this browser has a valid one, the field for it.

    It names only the company and changes nothing, so it can be opened and reloaded any number of times.
    """
    now, language = clock.now(), shown_language(request, poa)
    words = phrases_in(language)["code"]
    browser = browser_sessions.browser_of(request)
    asked = actions.newest_code(poa, browser) if browser else None
    state = actions.state_of_code(asked, address=poa.customer.email, at=now)
    again_at = actions.next_code_at(poa, browser, at=now) if browser else None
    alert = ""
    was_refused = request.GET.get(VERDICT_FIELD) == TOO_MANY
    if again_at is not None and (was_refused or not state.is_open):
        alert = words["too_many"].format(again=format_time(again_at, language), contact=current_rules().contact)
    elif actions.is_link_replaced(poa):
        alert = words["code_limit_reached"]
    elif asked is not None and state.is_open and asked.mail.sent_at is None and asked.mail.last_error:
        alert = words["not_mailed"]
    error = code_error(request, state, words)
    values = {"email": masked_email(poa.customer.email), "minutes": CODE_MINUTES}
    context = {
        "kept": kept_entries.find_waiting(request, poa, below=below(request)) is not None,
        "alert": alert,
        "error": error,
        "has_errors": bool(error),
        "sent_to": words["sent_to"].format(**values),
    }
    template = "portal/code.html" if state.is_open or error else "portal/request_code.html"
    response = render_without_session(request, poa, template, context)
    browser_sessions.name_browser(request, response)
    return response


def code_error(request: HttpRequest, state: actions.CodeState, words: Mapping[str, str]) -> str:
    """Return what is wrong with the last code, as far as it is still true when the page is reloaded."""
    said = request.GET.get(VERDICT_FIELD, "")
    verdict = said if said in _SAID_ALONE else state.verdict
    return words[f"code_{verdict}"].format(tries=state.tries_left) if said and verdict else ""


def redirect_to_code_page(request: HttpRequest, verdict: str = "") -> HttpResponse:
    """Redirect to the code page, keeping a language that was chosen there."""
    address = reverse("portal:code", kwargs={"token": token_of(request)})
    chosen = request.POST.get(LANGUAGE_FIELD) or request.GET.get(LANGUAGE_FIELD)
    is_code_form = request.path.removeprefix(below(request)) in {"/code/", "/enter/"}
    is_chosen = chosen in Language.values and is_code_form
    said = {LANGUAGE_FIELD: str(chosen)} if is_chosen else {}
    if verdict:
        said[VERDICT_FIELD] = verdict
    return redirect(f"{address}?{urlencode(said)}" if said else address)


def below(request: HttpRequest) -> str:
    """Return the path of the link, the prefix of all the customer's pages."""
    return reverse("portal:home", kwargs={"token": token_of(request)}).rstrip("/")


def render_without_session(
    request: HttpRequest, poa: PoaDocument, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Show a page that needs no session, in the language chosen on it or else the customer's."""
    language = shown_language(request, poa)
    phrases = phrases_in(language)
    around = {
        "language": language,
        "other_language": Language.ENGLISH if language == Language.SPANISH else Language.SPANISH,
        "t": phrases,
        "token": token_of(request),
        "form_key": form_key(poa),
        "organization": current_rules().name,
        "contact": phrases["page"]["questions"].format(contact=current_rules().contact),
    }
    response = render(request, template, {**around, **context}, status=status)
    response.headers["Content-Language"] = language
    return response


def shown_language(request: HttpRequest, poa: PoaDocument) -> str:
    chosen = request.POST.get(LANGUAGE_FIELD) or request.GET.get(LANGUAGE_FIELD)
    return chosen if chosen in Language.values else language_of(poa)


def token_of(request: HttpRequest) -> str:
    if request.resolver_match is None:
        raise RuntimeError("This page was called without URL routing.")
    return str(request.resolver_match.kwargs["token"])


def form_key(poa: PoaDocument) -> str:
    return salted_hmac("poa_documents.form_key", poa.token_hash, algorithm="sha256").hexdigest()


def client_ip(request: HttpRequest) -> str | None:
    return request.META.get("REMOTE_ADDR") or None


def user_agent(request: HttpRequest) -> str:
    return str(request.headers.get("User-Agent", ""))


def _is_from_our_page(request: HttpRequest, poa: PoaDocument) -> bool:
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    return constant_time_compare(request.POST.get(FORM_KEY_FIELD, ""), form_key(poa))


def _unknown(request: HttpRequest) -> HttpResponse:
    """Limit guessing of links. Real links are found before this, so the limit never blocks them."""
    try:
        rate_limits.count(rate_limits.UNKNOWN_LINK, client_ip(request) or "")
    except RateLimitReached as often:
        return _too_many_requests(request, often)
    return show_problem(request, "unknown", status=404)


def _too_many_requests(request: HttpRequest, often: RateLimitReached) -> HttpResponse:
    response = show_problem(request, "often", status=429)
    response.headers["Retry-After"] = str(often.seconds)
    return response


def _expired(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Offer a new link, sent to the address on file, and show the result of requesting it."""
    if actions.is_new_link_on_its_way(poa):
        return show_problem(request, "on_its_way", status=410)
    if ASK_OFFICE in request.GET:
        return show_problem(request, "ask_office", status=410)
    form = {"form_key": form_key(poa), "new_link": reverse("portal:new_link", kwargs={"token": token_of(request)})}
    return show_problem(request, "expired", status=410, form=form)


@csrf_exempt
@never_cache
def send_new_link(request: HttpRequest, token: str) -> HttpResponse:
    """Send a new link from an expired link's page. Any other link redirects to its page."""
    home = reverse("portal:home", kwargs={"token": token})
    try:
        find_poa(token, at=clock.now())
    except LinkExpired as expired:
        poa = expired.poa
    except (LinkUnknown, LinkRetired):
        return redirect(home)
    else:
        return redirect(home)
    if request.method != "POST":
        return redirect(home)
    if not _is_from_our_page(request, poa):
        return show_problem(request, "form", status=403)
    ip_address = client_ip(request)
    try:
        rate_limits.count(rate_limits.LINK_FORM, poa.token_hash, ip_address or "")
        actions.send_new_link(poa_id=poa.pk, at=clock.now(), ip_address=ip_address)
    except RateLimitReached as often:
        return _too_many_requests(request, often)
    except actions.OfficeMustHelp:
        return redirect(f"{home}?{ASK_OFFICE}")
    return redirect(home)


def show_problem(
    request: HttpRequest, kind: str, *, status: int, form: Mapping[str, str] | None = None
) -> HttpResponse:
    """Show a problem page in both languages, the browser's first, because we do not know who is asking."""
    first = get_language_from_request(request)
    languages = sorted(Language.values, key=lambda language: language != first)
    contact = current_rules().contact
    texts = []
    for language in languages:
        phrases = phrases_in(language)["link_problem"]
        texts.append(
            {
                "language": language,
                "title": phrases[f"{kind}_title"],
                "text": phrases[f"{kind}_text"],
                "help": phrases.get(f"{kind}_help", phrases["help"]).format(contact=contact),
                "button": phrases["new_link"],
            }
        )
    context = {
        "language": languages[0],
        "texts": texts,
        "organization": current_rules().name,
        **(form or {}),
    }
    return render(request, "portal/link_problem.html", context, status=status)
