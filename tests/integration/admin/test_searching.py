"""The admin finds text as people type it, and an address that names nothing selects nothing."""

import json
import unicodedata

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db.models import CharField, Value
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from core.accent_search import remove_accents
from tests.factories.installations import customer, site

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LETTERS = "aDeñÑáéíÓúüçãøŁđĐăâÊôơƯảạốượжάω '-"


def found(client: Client, field: str, term: str) -> list[str]:
    asked = {"app_label": "installations", "model_name": "installation", "field_name": field, "term": term}
    return [each["text"] for each in json.loads(client.get("/admin/autocomplete/", asked).content)["results"]]


@pytest.mark.parametrize(
    "typed", ["512-474-5171", "(512) 474-5171", "512.474.5171", "+1 512 474 5171", "512 474 5171", "5124745171", "474"]
)
def test_customer_is_found_by_phone_in_any_format(office_client: Client, typed: str) -> None:
    customer(first_name="Carmen", last_name="Reyes", phone="+15124745171")
    customer(first_name="Dale", last_name="Hutchins", phone="+12145550143")

    assert found(office_client, "customer", typed) == ["Carmen Reyes"]


@pytest.mark.parametrize(
    "typed", ["1044-3720-0012-34567", "10443720 001234567", "1814 Bluebonnet Lane, Plano", "1814 75074", "lane,plano"]
)
def test_site_is_found_by_the_address_on_the_bill(office_client: Client, typed: str) -> None:
    site(address_1="1814 Bluebonnet Lane", city="Plano", postal_code="75074", esi_id="10443720001234567")
    site(address_1="2600 Ocean Drive", city="Corpus Christi", postal_code="78404")

    assert found(office_client, "site", typed) == ["1814 Bluebonnet Lane, Plano"]


@pytest.mark.parametrize(
    "typed", ["Treviño", "trevino", "TREVIÑO", "Trevin\N{COMBINING TILDE}o", "ana lucia", "Peña trevino"]
)
def test_customer_is_found_with_and_without_accents(office_client: Client, typed: str) -> None:
    customer(first_name="Ana Lucía", last_name="Treviño Pena")
    customer(first_name="Đặng", last_name="Nguyễn")

    assert found(office_client, "customer", typed) == ["Ana Lucía Treviño Pena"]
    assert found(office_client, "customer", "dang nguyen") == ["Đặng Nguyễn"]


@pytest.mark.parametrize("typed", ["%", "_", "\\", "Trevi_o"])
def test_database_wildcards_are_searched_literally(office_client: Client, typed: str) -> None:
    customer(first_name="Ana Lucía", last_name="Treviño")

    assert found(office_client, "customer", typed) == []


@given(before=st.text(LETTERS, max_size=10), typed=st.text(LETTERS, min_size=1, max_size=10))
def test_database_folds_text_exactly_as_we_do(before: str, typed: str) -> None:
    """Composed or decomposed, upper or lower case."""
    name = Value(before + unicodedata.normalize("NFD", typed), output_field=CharField())
    known = ContentType.objects.annotate(spelled=name)

    assert known.filter(spelled__unaccented=typed.upper()).exists()
    assert known.filter(spelled__unaccented=remove_accents(typed)).exists()
    assert not known.filter(spelled__unaccented=typed + before + "x").exists()


def test_address_is_found_without_its_accents(office_client: Client) -> None:
    site(address_1="12 Cañón Verde", city="Bulverde", postal_code="78163")

    assert found(office_client, "site", "canon verde, bulverde") == ["12 Cañón Verde, Bulverde"]


def test_list_search_works_alike_and_returns_each_record_once(office_client: Client) -> None:
    person = customer(first_name="Carmen", last_name="Reyes", phone="+15124745171")

    page = office_client.get("/admin/installations/customer/", {"q": "(512) 474-5171"})

    assert list(page.context["cl"].result_list) == [person]


@pytest.mark.parametrize(
    "key", ["9" * 19, "9" * 40, "9" * 5000, "\N{ARABIC-INDIC DIGIT NINE}" * 30, "\N{SUPERSCRIPT TWO}", "-1", "1.5"]
)
@pytest.mark.parametrize("form", ["installations/installation", "poa_documents/poadocument"])
def test_impossible_record_number_selects_nothing(office_client: Client, form: str, key: str) -> None:
    asked = [
        office_client.get(f"/admin/{form}/add/", {"customer": key, "site": key}, follow=True),
        office_client.post(f"/admin/{form}/add/", {"customer": key, "site": key}, follow=True),
        office_client.get(f"/admin/{form}/", {"customer__public_id__exact": key}, follow=True),
        office_client.get(f"/admin/{form}/{key}/change/", follow=True),
    ]

    assert [answer.status_code for answer in asked[:2]] == [200, 200]
    assert all(answer.status_code < 500 for answer in asked[2:])


@pytest.mark.parametrize(
    "address",
    [
        "installations/customer/?q=%00",
        "installations/golivereport/?status__exact=a%00",
        "enrollments/enrollment/?whose_turn=%00",
        "enrollments/hold/?reason__exact=%2500&code__exact=%00",
        "admin/logentry/?action_time__gte=%00",
        "autocomplete/?term=%00&app_label=installations&model_name=installation&field_name=customer",
        "installations/customer/%00/change/",
    ],
)
def test_character_no_database_can_store_is_refused(office_client: Client, address: str) -> None:
    assert office_client.get(f"/admin/{address}").status_code == 400


@pytest.mark.parametrize("name", ["sessionid", "csrftoken", "portal-browser", "messages"])
def test_no_cookie_holds_a_character_databases_refuse(client: Client, name: str) -> None:
    for address in ("/admin/", "/field/", "/portal/a-link/"):
        assert client.get(address, HTTP_COOKIE=f'{name}="\\000abcdefgh"').status_code == 400


@pytest.mark.parametrize("address", ["installations/installation/add/", "poa_documents/poadocument/add/"])
def test_address_of_a_missing_record_opens_an_empty_form(office_client: Client, address: str) -> None:
    answers = [
        office_client.get(f"/admin/{address}?customer=abc&site=9999"),
        office_client.post(f"/admin/{address}", {"customer": "abc", "site": ""}, follow=True),
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "Select a valid choice" in answers[1].content.decode()
