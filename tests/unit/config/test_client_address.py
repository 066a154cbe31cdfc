import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from config.middleware import ClientAddressMiddleware


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9,2001:db8::1", "2001:db8::1"),
        ("203.0.113.9, <script>", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_client_address_is_the_one_the_proxy_saw(forwarded: str, address: str) -> None:
    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    ClientAddressMiddleware(view)(RequestFactory().get("/", headers={"X-Forwarded-For": forwarded}))

    assert seen == [address]
