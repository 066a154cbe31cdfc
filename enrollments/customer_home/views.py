"""The enrollment's part of the customer's home page: progress, and the link to Light's pages."""

import logging
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse

from core import clock
from core.actors import Actor
from core.company_rules import current_rules
from core.dates import chicago_day
from core.downloads import file_response
from core.stored_files import StoredFile, read
from enrollments.actions.account_reading import request_reading
from enrollments.actions.accounts import NoAccountYet, hosted_link
from enrollments.actions.customer_holds import NothingToHold, NotOnHold, hold_for_customer, resume_for_customer
from enrollments.customer_home.progress import Progress, just_signed, progress, words
from enrollments.engine.gathering import missing_details
from enrollments.engine.wiring import hosted_pages_client
from enrollments.light.documents import SUFFIXES
from enrollments.light.errors import LightError
from enrollments.models import Enrollment
from enrollments.queries import announced_notice, enrollment_of, is_decision_outdated, stored_documents
from enrollments.states import SETTLED_STATUSES
from poa_documents.models import PoaDocument
from poa_documents.portal.link_access import link_page
from poa_documents.portal.presenters import language_of
from poa_documents.portal.views import render_home
from poa_documents.states import PoaStatus

logger = logging.getLogger(__name__)

_WITH_PROGRESS = frozenset(
    {
        PoaStatus.SEALING,
        PoaStatus.SIGNED,
        PoaStatus.SUSPENDED,
        PoaStatus.EXHAUSTED,
        PoaStatus.LAPSED,
        PoaStatus.REVOKED,
    }
)
_JUST_SIGNED = frozenset({PoaStatus.SEALING, PoaStatus.SIGNED})
_PROBLEMS = frozenset({"early", "away", "held_too_late"})
"""Query string values that say what went wrong when a button was pressed."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


@link_page
def home(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    problem = request.GET.get("problem", "")
    return _home(request, poa, problem=problem if problem in _PROBLEMS else "")


@link_page
def continue_at_light(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Redirect the customer to Light's pages. The link is created for this click and stored nowhere."""
    enrollment = enrollment_of(poa)
    if request.method != "POST" or enrollment is None:
        return _to_home(request)
    try:
        link = hosted_link(
            enrollment_id=enrollment.pk,
            light=hosted_pages_client(),
            by=Actor.customer(poa.customer.public_id),
            at=clock.now(),
        )
    except NoAccountYet:
        return _to_home(request, problem="early")
    except LightError as problem:
        about = {"case": enrollment.pk}
        logger.warning("No link to Light's pages for a customer: %s", type(problem).__name__, extra=about)
        return _to_home(request, problem="away")
    if _origin(link.login_link) not in {_origin(origin) for origin in settings.LIGHT_HOSTED_ORIGINS}:
        logger.error(
            "Light's hosted pages are on a host that LIGHT_HOSTED_ORIGINS does not allow; no customer is sent there."
        )
        return _to_home(request, problem="away")
    return HttpResponseRedirect(link.login_link, headers={"Referrer-Policy": "no-referrer"})


@link_page
def check_again(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Request an account reading for a customer who says that they are done at Light."""
    enrollment = enrollment_of(poa)
    if request.method == "POST" and enrollment is not None and enrollment.light_account_uuid is not None:
        request_reading(enrollment_id=enrollment.pk, at=clock.now())
    return _to_home(request)


@link_page
def hold(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Put an announced acceptance on hold."""
    enrollment = enrollment_of(poa)
    if request.method != "POST" or enrollment is None:
        return _to_home(request)
    try:
        hold_for_customer(enrollment_id=enrollment.pk, by=Actor.customer(poa.customer.public_id), at=clock.now())
    except NothingToHold:
        return _to_home(request, problem="held_too_late")
    return _to_home(request)


@link_page
def resume(request: HttpRequest, poa: PoaDocument) -> HttpResponse:
    """Resume an enrollment that the customer put on hold."""
    enrollment = enrollment_of(poa)
    if request.method == "POST" and enrollment is not None:
        try:
            resume_for_customer(enrollment_id=enrollment.pk, by=Actor.customer(poa.customer.public_id), at=clock.now())
        except NotOnHold:
            about = {"case": enrollment.pk}
            logger.info("The customer resumed an enrollment that was no longer on hold.", extra=about)
    return _to_home(request)


@link_page
def plan_document(request: HttpRequest, poa: PoaDocument, *, kind: str) -> HttpResponse:
    """Download a stored document of the accepted plan."""
    enrollment = enrollment_of(poa)
    offer = enrollment.accepted_offer if enrollment is not None else None
    document = stored_documents(offer).filter(kind=kind.upper()).first() if offer is not None else None
    if document is None:
        return _to_home(request)
    try:
        content = read(StoredFile(document.storage_key, document.sha256, document.size_bytes or 0))
    except Exception:
        about = {"case": document.offer.enrollment_id}
        logger.exception("Plan document %s cannot be read for its customer.", document.pk, extra=about)
        return _home(request, poa, problem="document_away", status=503)
    name = f"{kind.lower()}-{chicago_day(document.owed_since)}{SUFFIXES[document.content_type]}"
    return file_response(content, name=name, content_type=document.content_type)


def _home(request: HttpRequest, poa: PoaDocument, *, problem: str = "", status: int = 200) -> HttpResponse:
    enrollment = enrollment_of(poa)
    page = words(language_of(poa))["page"]
    extra: dict[str, Any] = {"words": page}
    if enrollment is not None and poa.status in _WITH_PROGRESS:
        extra["progress"] = _progress(enrollment, poa)
        if enrollment.status in SETTLED_STATUSES and poa.status == PoaStatus.EXHAUSTED:
            extra["can_revoke"] = False  # used up, and the plan is in service or has ended
    elif poa.status in _JUST_SIGNED:
        extra["progress"] = just_signed(language_of(poa))
    if problem:
        extra["problem"] = {"title": page[f"{problem}_title"], "text": page[problem]}
    return render_home(request, poa, template="portal/progress.html", extra=extra, status=status)


def _progress(enrollment: Enrollment, poa: PoaDocument) -> Progress:
    notice = announced_notice(enrollment, poa)
    offer = enrollment.accepted_offer or (notice.offer if notice is not None else None)
    stored = set(stored_documents(offer).values_list("kind", flat=True)) if offer is not None else set()
    return progress(
        enrollment,
        poa,
        is_outdated=is_decision_outdated(enrollment),
        missing=missing_details(enrollment),
        notice=notice,
        offer=offer,
        stored=stored,
        language=language_of(poa),
        contact=current_rules().contact,
    )


def _to_home(request: HttpRequest, *, problem: str = "") -> HttpResponse:
    assert request.resolver_match is not None  # noqa: S101 - the page was reached through the resolver
    home = reverse("portal:home", kwargs={"token": request.resolver_match.kwargs["token"]})
    return redirect(f"{home}?problem={problem}" if problem else home)


def _origin(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)
