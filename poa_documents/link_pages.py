"""
What every page behind a customer's link has in common: whose it is, and that a foreign form changes nothing.

The link's secret part takes the place of a sign-in, and the key in each form that of a CSRF cookie: it is made from
the link's hash, so only a page that was opened through the link can carry it. Neither cookies nor the referrer, which
these pages never send, are needed for that.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import get_language_from_request
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from core import clock
from installations.models import Language
from poa_documents.links import LinkExpired, LinkUnknown, find_poa
from poa_documents.models import PoaDocument
from poa_documents.phrases import phrases_in

FORM_KEY_FIELD = "form_key"

P = ParamSpec("P")
LinkView = Callable[Concatenate[HttpRequest, PoaDocument, P], HttpResponse]


def link_page(view: LinkView[P]) -> Callable[..., HttpResponse]:
    """
    Turn a view of a POA into a view of a link: `token` from the address becomes the POA it names.

    An unknown or expired link, and a form that did not come from our own page, get a page that says what to do.
    """

    @wraps(view)
    def find_and_show(request: HttpRequest, token: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            poa = find_poa(token, at=clock.now())
        except LinkUnknown:
            return _problem(request, "unknown", status=404)
        except LinkExpired:
            return _problem(request, "expired", status=410)
        if request.method == "POST" and not _is_from_our_page(request, poa):
            return _problem(request, "form", status=403)
        return view(request, poa, *args, **kwargs)

    return csrf_exempt(never_cache(require_http_methods(["GET", "HEAD", "POST"])(find_and_show)))


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


def _problem(request: HttpRequest, kind: str, *, status: int) -> HttpResponse:
    """We do not know who is asking, so the browser's language decides, and the other one follows."""
    first = get_language_from_request(request)
    languages = sorted(Language.values, key=lambda language: language != first)
    contact = settings.ORGANIZATION_CONTACT
    texts = []
    for language in languages:
        phrases = phrases_in(language)["link_problem"]
        texts.append(
            {
                "language": language,
                "title": phrases[f"{kind}_title"],
                "text": phrases[f"{kind}_text"],
                "help": phrases["help"].format(contact=contact),
            }
        )
    context = {"language": languages[0], "texts": texts, "organization": settings.ORGANIZATION_NAME}
    return render(request, "portal/link_problem.html", context, status=status)
