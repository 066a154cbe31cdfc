"""One address: the HMAC over the raw body, one insert, an answer."""

import hashlib
import hmac
import json
import os

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

from tools.benchmarks.bare.models import Delivery

ANSWER = b"Stored.\n"
SECRET = os.environ["LIGHT_WEBHOOK_SECRET"].encode()


def receive(request: HttpRequest) -> HttpResponse:
    expected = hmac.new(SECRET, request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("X-Light-Signature", "")):
        return HttpResponse(status=401)
    delivery = Delivery(key=json.loads(request.body)["uuid"], body=request.body.decode(), received_at=timezone.now())
    delivery.save(force_insert=True)
    return HttpResponse(ANSWER, content_type="text/plain", headers={"Content-Length": str(len(ANSWER))})


urlpatterns = [path("webhooks/light/", receive)]
