"""Addresses no page links to: whatever the query contains, the answer is a page and never an error."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.factories.cases import case
from tests.factories.installations import installation, site

pytestmark = pytest.mark.django_db

HUGE = "9" * 30
NUL = "\0"
ODD = (NUL, f"a{NUL}{HUGE}", HUGE, f"-{HUGE}", "\N{SUPERSCRIPT TWO}", "2026-99-99")
REFUSED = (NUL, HUGE, "2026-99-99")
LOOKUPS = ("__exact", "__id__exact", "__public_id__exact", "__in", "__id__in", "__gte")


def lists() -> list[Any]:
    return sorted(
        (each for each in admin.site._registry.values() if each.list_filter or each.search_fields),
        key=lambda each: each.opts.label,
    )


@pytest.fixture
def operator_client(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("olga", password="a long enough password"))
    return client


def queries_of(model_admin: Any) -> Iterator[dict[str, str]]:
    """Every odd value for every name, and for each lookup of a filter the three kinds that databases refuse."""
    filters = [each[0] if isinstance(each, tuple | list) else each for each in model_admin.list_filter]
    fields = [each for each in filters if isinstance(each, str)]
    parameters = [each.parameter_name for each in filters if not isinstance(each, str) and each.parameter_name]
    for name in (*fields, *parameters, "q", "p", "o", "all", "pk", "id__in"):
        yield from ({name: odd} for odd in ODD)
    for name in fields:
        yield from ({f"{name}{lookup}": odd} for lookup in LOOKUPS for odd in REFUSED)


@pytest.mark.parametrize("label", [each.opts.label for each in lists()])
def test_no_query_makes_a_list_fail(operator_client: Client, label: str) -> None:
    model_admin = next(each for each in lists() if each.opts.label == label)
    url = reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_changelist")
    case()

    failed = []
    for query in queries_of(model_admin):
        try:
            status = operator_client.get(f"{url}?{urlencode(query, errors='surrogatepass')}").status_code
        except Exception as problem:  # noqa: BLE001 - the client hands on what would be a 500
            failed.append((query, type(problem).__name__))
        else:
            if status >= 500:
                failed.append((query, str(status)))

    assert failed == []


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["customer", "site", "technician", "installation"])
def test_no_query_makes_a_form_fail(operator_client: Client, name: str, odd: str) -> None:
    installation()
    query = urlencode({name: odd}, errors="surrogatepass")

    for model in ("installation", "site", "customer"):
        assert operator_client.get(f"{reverse(f'admin:installations_{model}_add')}?{query}").status_code < 500


def test_impossible_database_values_are_ignored(office_client: Client) -> None:
    url = reverse("admin:installations_installation_changelist")

    answer = office_client.get(f"{url}?{urlencode({'technician': HUGE, 'status': 'SOLD'})}")

    assert (answer.status_code, answer.headers["Location"]) == (302, f"{url}?status=SOLD")


def test_long_esi_id_is_still_searched_for(office_client: Client) -> None:
    job = installation(site=site(esi_id="1008901023817063480105"))

    page = office_client.get(reverse("admin:installations_installation_changelist"), {"q": "1008901023817063480105"})

    assert str(job) in page.text
