"""The pages before the door: ask for a code, type it in, leave. Each POST makes one call to an action."""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from core import clock
from poa_documents import actions, doors
from poa_documents.actions import CodeVerdict
from poa_documents.kept_entries import kept_entry, read_entry
from poa_documents.limits import say_time
from poa_documents.link_pages import (
    LANGUAGE_FIELD,
    client_ip,
    door_page,
    outside,
    show_door,
    shown_language,
    token_of,
    user_agent,
)
from poa_documents.models import PoaDocument
from poa_documents.phrases import phrases_in
from poa_documents.presenters import masked_email

logger = logging.getLogger(__name__)


@door_page
def ask(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Send a code to the customer, when the button was pressed; the page that was opened shows the button."""
    if request.method != "POST":
        return show_door(request, poa)
    browser = doors.browser_of(request)
    words = phrases_in(shown_language(request, poa))["door"]
    if not browser:
        return outside(request, poa, "portal/cookies.html", {}, status=403)
    try:
        mail = actions.ask_for_code(poa_id=poa.pk, browser=browser, at=clock.now(), ip_address=client_ip(request))
    except actions.TooManyCodes as problem:
        again = say_time(problem.again_at, shown_language(request, poa))
        alert = words["too_many"].format(again=again, contact=settings.ORGANIZATION_CONTACT)
        return show_door(request, poa, alert=alert, status=429)
    except actions.LinkOverasked:
        return show_door(request, poa, alert=words["overasked"], status=429)
    outcome = actions.send_mail(mail_id=mail.pk, at=clock.now())
    if outcome in {actions.MailOutcome.FAILED, actions.MailOutcome.RETURNED}:
        return _show_entry(request, poa, alert=words["not_mailed"])
    return _show_entry(request, poa)


@door_page
def enter(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Take the code. The right one opens the door in this browser and leads on to where the customer was going."""
    if request.method != "POST":
        return show_door(request, poa)
    browser = doors.browser_of(request)
    if not browser:
        return outside(request, poa, "portal/cookies.html", {}, status=403)
    now = clock.now()
    answer = actions.enter_code(
        poa_id=poa.pk,
        browser=browser,
        digits=request.POST.get("code", ""),
        at=now,
        ip_address=client_ip(request),
        user_agent=user_agent(request),
    )
    is_open = doors.opened_at(request, poa, at=now) is not None
    if answer.verdict == CodeVerdict.USED and is_open:  # the same form sent twice
        return redirect("portal:home", token=token_of(request))
    if answer.verdict != CodeVerdict.RIGHT:
        words = phrases_in(shown_language(request, poa))["door"]
        error = words[f"code_{answer.verdict}"].format(tries=answer.tries_left)
        return _show_entry(request, poa, error=error, status=422)
    response = _lead_on(request, poa)
    doors.keep_open(request, response, poa, opened=now, at=now)
    return response


@door_page
def leave(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Shut the door in this browser, for whoever shares it."""
    response: HttpResponse = redirect("portal:home", token=token_of(request))
    if request.method == "POST":
        actions.leave(poa_id=poa.pk, browser=doors.browser_of(request), at=clock.now())
        doors.shut(response, poa)
    return response


def _lead_on(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    home = reverse("portal:home", kwargs={"token": token_of(request)})
    entry = read_entry(kept_entry(request), below=home.rstrip("/"))
    if entry is None:
        return redirect(home)
    return outside(request, poa, "portal/kept.html", {"entry": entry, "language_field": LANGUAGE_FIELD})


def _show_entry(
    request: HttpRequest, poa: PoaDocument, *, alert: str = "", error: str = "", status: int = 200
) -> HttpResponse:
    words = phrases_in(shown_language(request, poa))["door"]
    values = {"email": masked_email(poa.customer.email), "minutes": settings.POA_CODE_MINUTES}
    context = {
        "sent_to": words["sent_to"].format(**values),
        "kept": kept_entry(request),
        "alert": alert,
        "error": error,
        "has_errors": bool(error),
    }
    return outside(request, poa, "portal/code.html", context, status=status)
