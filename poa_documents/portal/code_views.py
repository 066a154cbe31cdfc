"""The pages before the door: ask for a code, type it in, leave. Each POST makes one call to an action and leads on."""

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from core import clock
from poa_documents import actions
from poa_documents.actions import CodeVerdict
from poa_documents.models import PoaDocument
from poa_documents.portal import browser_sessions, kept_entries
from poa_documents.portal.link_pages import (
    LANGUAGE_FIELD,
    TOO_MANY,
    below,
    client_ip,
    door_page,
    link_page,
    outside,
    show_door,
    to_door,
    token_of,
    user_agent,
)

logger = logging.getLogger(__name__)

_COOKIES = "cookies"


@door_page
def ask(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Send a code to the customer, when the button was pressed; the page that was opened shows button or field."""
    if request.method != "POST":
        return _page(request, poa)
    browser = browser_sessions.browser_of(request)
    if not browser:
        return _without_cookies(request)
    try:
        mail = actions.ask_for_code(poa_id=poa.pk, browser=browser, at=clock.now(), ip_address=client_ip(request))
    except (actions.TooManyCodes, actions.LinkOverasked) as refused:
        logger.info("POA %s: no code is sent now: %s", poa.pk, type(refused).__name__)
        return to_door(request, TOO_MANY)
    actions.send_mail(mail_id=mail.pk, at=clock.now())
    return to_door(request)


@door_page
def enter(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Take the code. The right one opens the door in this browser and leads on to where the customer was going."""
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
    is_open = browser_sessions.opened_at(request, poa, at=now) is not None
    if answer.verdict == CodeVerdict.USED and is_open:  # the same form sent twice
        return redirect("portal:home", token=token_of(request))
    if answer.verdict != CodeVerdict.RIGHT:
        return to_door(request, answer.verdict)
    waits = kept_entries.find_at_the_door(request, poa, below=below(request)) is not None
    response = redirect("portal:kept" if waits else "portal:home", token=token_of(request))
    browser_sessions.keep_open(request, response, poa, opened=now, at=now)
    return response


@link_page
def kept(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Show what arrived while the door was shut. Only the customer's sending it again counts."""
    entry = kept_entries.find_at_the_door(request, poa, below=below(request))
    if entry is None:
        return redirect("portal:home", token=token_of(request))
    return outside(request, poa, "portal/kept.html", {"entry": entry, "language_field": LANGUAGE_FIELD})


@door_page
def leave(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Shut the door in this browser, for whoever shares it."""
    response: HttpResponse = redirect("portal:home", token=token_of(request))
    if request.method == "POST":
        actions.leave(poa_id=poa.pk, browser=browser_sessions.browser_of(request), at=clock.now())
        browser_sessions.shut(response, poa)
    return response


def _page(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    if _COOKIES in request.GET and not browser_sessions.browser_of(request):
        return outside(request, poa, "portal/cookies.html", {})
    return show_door(request, poa)


def _without_cookies(request: HttpRequest) -> HttpResponse:
    return redirect(f"{below(request)}/code/?{_COOKIES}")
