"""Opening a case and moving its work forward: what is accepted or refused, and which events record it."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection

from core.dates import chicago_day
from core.errors import InvalidInput, ReasonMissing
from core.models import CaseChange
from core.moves import MoveNotAllowed
from installations import actions
from installations.actions.registration import phone_warnings
from installations.models import Customer, HardwareKind, Installation, Site
from installations.queries import jobs_for
from installations.states import MOVES, InstallationStatus
from tests.factories.installations import AT, OFFICE, customer, installation, installation_at, site, technician

pytestmark = pytest.mark.django_db
TODAY = chicago_day(AT)


def test_esi_id_is_stored_as_digits_and_names_the_utility() -> None:
    kept = site(esi_id="ESI ID: 1008901 0238 1706 3480 105")

    assert (kept.esi_id, kept.tdu_code) == ("1008901023817063480105", "CENTERPOINT")


def test_differently_typed_esi_id_is_the_same_site() -> None:
    known = site(esi_id="10443720001234567")

    with pytest.raises(InvalidInput, match="already on file") as refused:
        site(esi_id="1044372-0001-234567")

    assert str(known) in refused.value.problems["esi_id"][0]
    assert Site.objects.count() == 1


def test_test_esi_ids_are_refused_in_strict_mode(settings: Any) -> None:
    settings.STRICT_ESI_IDS = True

    with pytest.raises(InvalidInput, match="begins with 10"):
        site(esi_id="55500000000000001")


def test_date_of_birth_is_encrypted_at_rest() -> None:
    carmen = customer(date_of_birth=date(1984, 5, 17))

    with connection.cursor() as cursor:
        cursor.execute("SELECT date_of_birth_text FROM installations_customer")
        (at_rest,) = cursor.fetchone()
    carmen.refresh_from_db()
    assert "1984" not in at_rest
    assert carmen.date_of_birth == date(1984, 5, 17)


def test_minors_and_impossible_birthdays_are_refused() -> None:
    for born in (TODAY - timedelta(days=365 * 17), TODAY + timedelta(days=1), date(1850, 1, 1)):
        with pytest.raises(InvalidInput) as refused:
            customer(date_of_birth=born)
        assert set(refused.value.problems) == {"date_of_birth"}


def test_all_customer_errors_are_reported_together() -> None:
    with pytest.raises(InvalidInput) as refused:
        customer(first_name=" ", email="nowhere", phone="12", language="fr")

    assert set(refused.value.problems) == {"first_name", "email", "phone", "language"}


@pytest.mark.parametrize(
    "name",
    [
        "Ada\r\nBcc: everybody@example.com",
        "Love\nlace",
        "Tab\tbed",
        "Bell\x07",
        "Nothing\x00",
        "Deleted\x7fA",
        "Next\x85line",
        "Line\N{LINE SEPARATOR}two",
        "Paragraph\N{PARAGRAPH SEPARATOR}two",
        "Half\ud800a sign",
    ],
)
@pytest.mark.parametrize("field", ["first_name", "last_name"])
def test_control_characters_in_a_name_are_explained(field: str, name: str) -> None:
    typed: Any = {field: f"{name} x"}

    with pytest.raises(InvalidInput, match="Retype it on one line") as refused:
        customer(**typed)

    assert set(refused.value.problems) == {field}
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("José Ángel", "Ñúñez Muñoz"),
        ("Jose\u0301", "Mun\u0303oz"),
        ("小明", "王"),
        ("محمد", "بن سلمان"),
        ("\u202bשרה\u202c", "כהן"),
        ("Ana 🎉", "👩\N{ZERO WIDTH JOINER}👧"),
        ("علی\N{ZERO WIDTH NON-JOINER}رضا", "क्\N{ZERO WIDTH JOINER}ष"),
        ("D'Arcy", "O\N{RIGHT SINGLE QUOTATION MARK}Brien"),
        ("Anne\N{NO-BREAK SPACE}Marie", "Smith-Jones"),
        (" Ada\n", "Lovelace"),
    ],
)
def test_names_in_every_script_are_accepted_unchanged(first: str, last: str) -> None:
    person = customer(first_name=first, last_name=last)

    assert (person.first_name, person.last_name) == (first.strip(), last)


def test_quoted_control_characters_in_an_address_are_refused() -> None:
    person = customer()

    with pytest.raises(InvalidInput, match="without quotes") as refused:
        actions.correct_contact(
            customer_id=person.pk, email='"ada\x01"@example.com', phone="", language="en", by=OFFICE, at=AT
        )

    assert set(refused.value.problems) == {"email"}
    with pytest.raises(InvalidInput, match="without quotes"):
        customer(email='"ada\x01"@example.com')


def test_line_breaks_in_a_site_address_are_refused_by_field() -> None:
    with pytest.raises(InvalidInput) as refused:
        site(address_1="1 Elm\nSt", address_2="Apt\r2", city="Round\x0bRock")

    assert set(refused.value.problems) == {"address_1", "address_2", "city"}


def test_new_solar_job_has_its_buyers_cancellation_deadline() -> None:
    job = installation(contract_signed_date=date(2026, 3, 4))

    assert job.embargo_end_date == date(2026, 3, 11)
    assert CaseChange.objects.filter(site_id=job.site_id).exists()


def test_job_with_a_date_starts_scheduled() -> None:
    job = installation(scheduled_date=TODAY + timedelta(days=3))

    assert job.status == InstallationStatus.SCHEDULED
    assert [event.name for event in job.events.all()] == ["register", "schedule"]


def test_future_contract_is_refused_and_stores_nothing() -> None:
    with pytest.raises(InvalidInput):
        installation(contract_signed_date=TODAY + timedelta(days=1))

    assert not Installation.objects.exists()


def test_every_stage_allows_exactly_its_own_moves() -> None:
    for status in InstallationStatus:
        for name in ("schedule", "install", "inspect", "submit_interconnection", "cancel"):
            job = installation_at(status)
            if status in MOVES[name].sources:
                _move(job, name)
                job.refresh_from_db()
                assert job.status == MOVES[name].target
            else:
                with pytest.raises(MoveNotAllowed):
                    _move(job, name)
                job.refresh_from_db()
                assert job.status == status


def _move(job: Installation, name: str) -> None:
    if name == "cancel":
        actions.cancel_installation(installation_id=job.pk, reason="Off.", by=OFFICE, at=AT)
        return
    day = TODAY if name == "schedule" else None
    actions.move_installation(installation_id=job.pk, move=name, scheduled_date=day, by=OFFICE, at=AT)


def test_canceling_needs_a_reason() -> None:
    job = installation()

    with pytest.raises(ReasonMissing):
        actions.cancel_installation(installation_id=job.pk, reason=" ", by=OFFICE, at=AT)


def test_reassigned_job_leaves_the_previous_technicians_list() -> None:
    tess, tom = technician(), technician()
    job = installation(technician=tess)

    actions.assign_technician(installation_id=job.pk, technician_id=tom.pk, by=OFFICE, at=AT)

    assert list(jobs_for(tess)) == []
    assert list(jobs_for(tom)) == [job]


def test_charger_sold_alone_has_no_cancellation_days() -> None:
    assert installation(kind=HardwareKind.EV_CHARGER).embargo_end_date is None


@pytest.mark.parametrize("zip_code", ["75001", "79999", "78701-1234", "73301", "73344", "88595", " 78701\u200b"])
def test_texas_zip_codes_are_accepted(zip_code: str) -> None:
    assert site(postal_code=zip_code).postal_code == zip_code.strip("\u200b ")


@pytest.mark.parametrize(
    "zip_code",
    ["885 hello", "885", "70112", "74999", "80000", "73302", "7870\N{ARABIC-INDIC DIGIT ONE}", "78701-12", "787011"],
)
def test_zip_codes_outside_texas_are_refused(zip_code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        site(postal_code=zip_code)

    assert set(refused.value.problems) == {"postal_code"}


@pytest.mark.parametrize("typed", ["621-474-5171", "(621) 474 5171", "+1 621 474 5171", "621\u200b4745171"])
def test_possible_phone_number_is_accepted_with_a_warning(typed: str) -> None:
    person = Customer.objects.get(pk=customer(phone=typed).pk)

    assert str(person.phone) == "+16214745171"
    assert "not in use as far as we know" in phone_warnings(person)[0]


@pytest.mark.parametrize("typed", ["474-5171", "911", "12345678901234567890", "call me"])
def test_undialable_phone_number_is_refused(typed: str) -> None:
    person = customer()
    with pytest.raises(InvalidInput) as at_first:
        customer(phone=typed)
    with pytest.raises(InvalidInput) as later:
        actions.correct_contact(customer_id=person.pk, email=person.email, phone=typed, language="en", by=OFFICE, at=AT)

    assert set(at_first.value.problems) == set(later.value.problems) == {"phone"}


def test_known_phone_number_raises_no_warning() -> None:
    assert phone_warnings(customer(phone="512-474-5171")) == ()
    assert phone_warnings(customer(phone="")) == ()


@pytest.mark.parametrize(
    "typed",
    [
        "carmen@exam\u200bple.com",
        "carmen@example.com\u200b",
        "\ufeffcarmen@example.com",
        "carmen@\u00adexample.com",
        "carmen@example\u2060.com",
        "carmen@\u202aexample.com\u202c",
        "car\u200dmen@example.com",
        "carmen@example\ufe0f.com",
        "carmen@exam\u3164ple.com",
    ],
)
def test_invisible_characters_in_an_email_address_are_dropped(typed: str) -> None:
    person = customer(email=typed)
    actions.correct_contact(customer_id=person.pk, email=f"new.{typed}", phone="", language="en", by=OFFICE, at=AT)

    assert person.email == "carmen@example.com"
    assert Customer.objects.get(pk=person.pk).email == "new.carmen@example.com"
    assert person.contact_changes.get().new_email == "new.carmen@example.com"


def test_possibly_rounded_esi_id_needs_confirmation() -> None:
    with pytest.raises(InvalidInput, match="ends in 00") as refused:
        site(esi_id="10443720001234500")

    assert set(refused.value.problems) == {"esi_id"}
    assert site(esi_id="10443720001234500", esi_id_compared=True).esi_id == "10443720001234500"
