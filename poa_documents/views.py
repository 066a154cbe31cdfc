"""The customer's pages."""

from django.http import HttpRequest, HttpResponse

from core import clock
from poa_documents.links import find_poa


def home(_request: HttpRequest, token: str) -> HttpResponse:
    return HttpResponse(find_poa(token, at=clock.now()).get_status_display())
