import pytest
from django.test import Client
from django.urls import get_resolver
from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db


def policy_of(client: Client, path: str) -> dict[str, list[str]]:
    written = client.get(path)["Content-Security-Policy"]
    return {name: sources for name, *sources in (directive.split() for directive in written.split("; "))}


@pytest.mark.parametrize("path", ["/portal/", "/field/", "/healthz", "/nowhere/", "/api/v1/sites/"])
def test_page_runs_only_our_code(client: Client, path: str) -> None:
    policy = policy_of(client, path)

    assert policy["default-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["base-uri"] == ["'none'"]
    assert not any("unsafe" in source for sources in policy.values() for source in sources)


def test_only_the_admin_may_use_eval_for_its_theme(client: Client) -> None:
    policy = policy_of(client, "/admin/login/")

    assert policy["script-src"] == ["'self'", "'unsafe-eval'"]
    assert policy["style-src"] == ["'self'", "'unsafe-inline'"]


def test_portal_may_lead_only_to_light_pages(client: Client, settings: Settings) -> None:
    settings.LIGHT_HOSTED_ORIGINS = ["https://flow.light.dev"]

    assert policy_of(client, "/portal/")["form-action"] == ["'self'", "https://flow.light.dev"]
    assert policy_of(client, "/field/")["form-action"] == ["'self'"]


def test_signing_link_is_never_sent_as_referrer(client: Client) -> None:
    assert client.get("/portal/")["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/portal/", "/field/", "/admin/login/", "/api/v1/sites/"])
def test_personal_page_is_not_cached(client: Client, path: str) -> None:
    assert "no-store" in client.get(path)["Cache-Control"]


def test_every_page_has_restrictive_headers(client: Client) -> None:
    response = client.get("/admin/login/")

    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"


def test_every_surface_is_mounted_where_headers_expect_it() -> None:
    mounted = {str(entry.pattern).split("/")[0] for entry in get_resolver().url_patterns}

    assert mounted <= {
        "",
        "admin",
        "portal",
        "field",
        "api",
        "webhooks",
        "healthz",
        "readyz",
        "metrics",
        "i18n",
        "sw.js",
    }
