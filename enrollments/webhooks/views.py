"""
Where webhooks arrive, Light's and the mail provider's: check the signature over the raw bytes, store, answer.

Nothing else is done here.
"""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from core import clock, rate_limits
from core.rate_limits import TooOften
from core.request_bodies import whole_body
from enrollments.actions.webhooks import count_refusal, store_delivery
from enrollments.light.signatures import SignatureRefused, SignedText, WebhookScheme, verify
from enrollments.models import WebhookSender
from poa_documents.actions import store_report

LONGEST_BODY = 1_000_000
MAIL_SCHEME = WebhookScheme(
    signed_text=SignedText.TIMESTAMP_AND_BODY, header="X-Mail-Signature", timestamp_header="X-Mail-Timestamp"
)
"""Hex of HMAC-SHA-256 over the time in seconds, a dot and the body: what a few lines at any provider can make."""
NEVER_KEPT = frozenset({"authorization", "cookie", "proxy-authorization"})


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Take one webhook in. A 2xx promises that it is stored, or was before."""
    at = clock.now()
    scheme = settings.LIGHT_DIALECT.webhook
    body = _signed_body(request, scheme, settings.LIGHT_WEBHOOK_SECRETS, sender=WebhookSender.LIGHT, at=at)
    if isinstance(body, HttpResponse):
        return body
    secret_headers = NEVER_KEPT | {scheme.header.lower()}
    kept = {name: value for name, value in request.headers.items() if name.lower() not in secret_headers}
    store_delivery(body=body, headers=kept, at=at)
    return _say("Stored.", HTTPStatus.OK)


@csrf_exempt
@require_POST
def receive_mail_report(request: HttpRequest) -> HttpResponse:
    """Take one report of what became of a mail in. A 2xx promises that it is stored, or was before."""
    at = clock.now()
    body = _signed_body(request, MAIL_SCHEME, settings.MAIL_WEBHOOK_SECRETS, sender=WebhookSender.MAIL, at=at)
    if isinstance(body, HttpResponse):
        return body
    store_report(body=body, at=at)
    return _say("Stored.", HTTPStatus.OK)


for view in (receive, receive_mail_report):
    view.takes_chunks = True  # type: ignore[attr-defined]  # the middleware lets bodies without a length through to them


def _signed_body(
    request: HttpRequest, scheme: WebhookScheme, secrets: Sequence[str], *, sender: WebhookSender, at: datetime
) -> bytes | HttpResponse:
    """Return the body that is to be stored, or the answer to what is too large or not signed right."""
    if not secrets:
        return _say(
            f"Webhooks are switched off here: {sender.value}_WEBHOOK_SECRET is empty.", HTTPStatus.SERVICE_UNAVAILABLE
        )
    try:
        body = whole_body(request, max_bytes=LONGEST_BODY)
        verify(scheme=scheme, secrets=secrets, headers=request.headers, body=body, now=at)
    except RequestDataTooBig:
        return _say(f"The body is larger than {LONGEST_BODY} bytes.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except UnreadablePostError:
        return _say("Only a part of the body arrived. Send it again.", HTTPStatus.BAD_REQUEST)
    except SignatureRefused as refused:
        try:
            rate_limits.count(rate_limits.REFUSED_WEBHOOK, sender.value, request.META.get("REMOTE_ADDR", ""))
        except TooOften as often:
            return _say_wait(often)
        count_refusal(sender=sender, reason=str(refused), at=at)
        return _say("The signature is missing or wrong.", HTTPStatus.UNAUTHORIZED)
    return body


def _say_wait(often: TooOften) -> HttpResponse:
    """Nothing is stored of these, not even a count; a webhook that is signed right never comes this far."""
    response = _say("Too many webhooks with a wrong signature. Sign them, or wait.", HTTPStatus.TOO_MANY_REQUESTS)
    response.headers["Retry-After"] = str(often.seconds)
    return response


def _say(text: str, status: HTTPStatus) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain", status=status)
