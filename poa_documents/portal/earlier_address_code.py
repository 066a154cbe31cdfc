"""The page where a customer confirms a changed e-mail address with a code mailed to the earlier one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from core import clock
from core.company_rules import current_rules
from poa_documents import actions, signer_doubts
from poa_documents.links import CODE_MINUTES
from poa_documents.models import PoaDocument
from poa_documents.phrases import phrases_in
from poa_documents.portal import browser_sessions
from poa_documents.portal.link_access import VERDICT_FIELD, client_ip, code_error, form_key, link_page, token_of
from poa_documents.portal.presenters import language_of, masked_email, page_context


@link_page
def earlier_address(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Offer the code, or take it. The right one redirects to the home page; anything else back to this page."""
    address = signer_doubts.earlier_address(poa.customer)
    if not address:
        return redirect("portal:home", token=token_of(request))
    if request.method != "POST":
        return _show(request, poa, address)
    browser, now = browser_sessions.browser_of(request), clock.now()
    if request.POST.get("wish") == "code":
        try:
            mail = actions.ask_for_code(
                poa_id=poa.pk, browser=browser, at=now, ip_address=client_ip(request), to_earlier_address=True
            )
            actions.send_mail(mail_id=mail.pk, at=now)
        except (actions.TooManyCodes, actions.TooManyCodesForLink, actions.NothingToProve):
            return _back(request)
        return _back(request)
    answer = actions.enter_earlier_code(
        poa_id=poa.pk, browser=browser, digits=request.POST.get("code", ""), at=now, ip_address=client_ip(request)
    )
    return _back(request, answer.verdict)


def _show(request: HttpRequest, poa: PoaDocument, address: str) -> HttpResponse:
    language = language_of(poa)
    words = phrases_in(language)
    browser, now = browser_sessions.browser_of(request), clock.now()
    asked = actions.newest_code(poa, browser, to_earlier_address=True)
    state = actions.state_of_code(asked, address=address, at=now)
    own = words["earlier_address"]
    values = {
        "email": masked_email(address),
        "new_email": masked_email(poa.customer.email),
        "organization": current_rules().name,
        "contact": current_rules().contact,
        "minutes": CODE_MINUTES,
    }
    context = {
        **page_context(poa, token=token_of(request), form_key=form_key(poa)),
        "page": {name: phrase.format(**values) for name, phrase in own.items()},
        "page_name": "earlier",
        "has_code": state.is_open,
        "error": code_error(request, state, words["code"]),
    }
    response = render(request, "portal/earlier_address.html", context)
    response.headers["Content-Language"] = language
    return response


def _back(request: HttpRequest, verdict: actions.CodeVerdict | None = None) -> HttpResponse:
    address = reverse("portal:earlier", kwargs={"token": token_of(request)})
    return redirect(f"{address}?{VERDICT_FIELD}={verdict}" if verdict else address)
