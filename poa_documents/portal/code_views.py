"""Pages that need no session: request a code, enter it, leave. Each POST calls one action and redirects."""

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from core import clock
from poa_documents import actions
from poa_documents.actions import CodeVerdict
from poa_documents.models import PoaDocument
from poa_documents.portal import browser_sessions, kept_entries
from poa_documents.portal.link_access import (
    LANGUAGE_FIELD,
    TOO_MANY,
    below,
    client_ip,
    link_page,
    page_without_code,
    redirect_to_code_page,
    render_without_session,
    show_code_page,
    token_of,
    user_agent,
)

logger = logging.getLogger(__name__)

_COOKIES = "cookies"


@page_without_code
def ask(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """On POST, send a code to the customer. On GET, show the button or the field."""
    if request.method != "POST":
        return _page(request, poa)
    browser = browser_sessions.browser_of(request)
    if not browser:
        return _without_cookies(request)
    try:
        mail = actions.ask_for_code(poa_id=poa.pk, browser=browser, at=clock.now(), ip_address=client_ip(request))
    except (actions.TooManyCodes, actions.TooManyCodesForLink) as refused:
        logger.info("POA %s: no code was sent: %s", poa.pk, type(refused).__name__)
        return redirect_to_code_page(request, TOO_MANY)
    actions.send_mail(mail_id=mail.pk, at=clock.now())
    return redirect_to_code_page(request)


@page_without_code
def enter(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Take the code. The right one starts a session in this browser and redirects to where the customer was going."""
    if request.method != "POST":
        return _page(request, poa)
    browser = browser_sessions.browser_of(request)
    if not browser:
        return _without_cookies(request)
    now = clock.now()
    answer = actions.enter_code(
        poa_id=poa.pk,
        browser=browser,
        digits=request.POST.get("code", ""),
        at=now,
        ip_address=client_ip(request),
        user_agent=user_agent(request),
    )
    is_open = browser_sessions.started_at(request, poa, at=now) is not None
    if answer.verdict == CodeVerdict.USED and is_open:  # the same form sent twice
        return redirect("portal:home", token=token_of(request))
    if answer.verdict != CodeVerdict.RIGHT:
        return redirect_to_code_page(request, answer.verdict)
    waits = kept_entries.find_waiting(request, poa, below=below(request)) is not None
    response = redirect("portal:kept" if waits else "portal:home", token=token_of(request))
    browser_sessions.extend(request, response, poa, opened=now, at=now)
    return response


@link_page
def kept(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Show a form that arrived without a session. It counts only if the customer sends it again."""
    entry = kept_entries.find_waiting(request, poa, below=below(request))
    if entry is None:
        return redirect("portal:home", token=token_of(request))
    return render_without_session(request, poa, "portal/kept.html", {"entry": entry, "language_field": LANGUAGE_FIELD})


@page_without_code
def leave(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """End the session in this browser, for customers who share it."""
    response: HttpResponse = redirect("portal:home", token=token_of(request))
    if request.method == "POST":
        actions.leave(poa_id=poa.pk, browser=browser_sessions.browser_of(request), at=clock.now())
        browser_sessions.end(response, poa)
    return response


def _page(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    if _COOKIES in request.GET and not browser_sessions.browser_of(request):
        return render_without_session(request, poa, "portal/cookies.html", {})
    return show_code_page(request, poa)


def _without_cookies(request: HttpRequest) -> HttpResponse:
    return redirect(f"{below(request)}/code/?{_COOKIES}")
