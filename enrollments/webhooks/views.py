"""
Webhook endpoints for Light and the mail provider: check the signature over the raw bytes, store, answer.

Everything else happens later, in a task.
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
from core.rate_limits import RateLimitReached
from core.request_bodies import read_body
from enrollments.actions.webhooks import count_refusal, store_delivery
from enrollments.light.webhook_signatures import SignatureRefused, SignedText, WebhookScheme, verify
from enrollments.models import WebhookSender
from poa_documents.actions import store_report

MAX_BODY_BYTES = 1_000_000
MAIL_SCHEME = WebhookScheme(
    signed_text=SignedText.TIMESTAMP_AND_BODY, header="X-Mail-Signature", timestamp_header="X-Mail-Timestamp"
)
"""Hex HMAC-SHA-256 over the Unix timestamp, a dot and the body, which is easy to produce with any provider."""
NEVER_KEPT = frozenset({"authorization", "cookie", "proxy-authorization"})


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Receive a webhook from Light. A 2xx means that it is stored."""
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
    """Receive a delivery report from the mail provider. A 2xx means that it is stored."""
    at = clock.now()
    body = _signed_body(request, MAIL_SCHEME, settings.MAIL_WEBHOOK_SECRETS, sender=WebhookSender.MAIL, at=at)
    if isinstance(body, HttpResponse):
        return body
    store_report(body=body, at=at)
    return _say("Stored.", HTTPStatus.OK)


for view in (receive, receive_mail_report):
    view.takes_chunks = True  # type: ignore[attr-defined]  # the middleware lets requests without a Content-Length pass


def _signed_body(
    request: HttpRequest, scheme: WebhookScheme, secrets: Sequence[str], *, sender: WebhookSender, at: datetime
) -> bytes | HttpResponse:
    """Return the body, or the response if it is too large or not correctly signed."""
    if not secrets:
        return _say(f"Webhooks are disabled: {sender.value}_WEBHOOK_SECRET is empty.", HTTPStatus.SERVICE_UNAVAILABLE)
    try:
        body = read_body(request, max_bytes=MAX_BODY_BYTES)
        verify(scheme=scheme, secrets=secrets, headers=request.headers, body=body, now=at)
    except RequestDataTooBig:
        return _say(f"The body is larger than {MAX_BODY_BYTES} bytes.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except UnreadablePostError:
        return _say("Only part of the body arrived. Send it again.", HTTPStatus.BAD_REQUEST)
    except SignatureRefused as refused:
        try:
            rate_limits.count(rate_limits.REFUSED_WEBHOOK, sender.value, request.META.get("REMOTE_ADDR", ""))
        except RateLimitReached as often:
            return _say_wait(often)
        count_refusal(sender=sender, reason=str(refused), at=at)
        return _say("The signature is missing or wrong.", HTTPStatus.UNAUTHORIZED)
    return body


def _say_wait(often: RateLimitReached) -> HttpResponse:
    """Answer a sender with too many wrong signatures. Nothing is stored, not even a count."""
    response = _say("Too many webhooks with a wrong signature. Try again later.", HTTPStatus.TOO_MANY_REQUESTS)
    response.headers["Retry-After"] = str(often.seconds)
    return response


def _say(text: str, status: HTTPStatus) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain", status=status)
