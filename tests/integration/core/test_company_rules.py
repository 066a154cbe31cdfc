"""The company's rules: new ones replace old ones, the past stays, and readers follow within seconds."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts.models import User
from accounts.staff_groups import COMPANY_RULES_GROUP, OFFICE_GROUP
from config.checks import company_is_not_the_sample
from core import clock, company_rules
from core.actors import Actor
from core.company_rules import RULE_FIELDS, RulesNotPossible, decide_company_rules, rules_at, scheduled_rules
from core.dates import chicago_day, chicago_midnight
from core.models import CompanyRules, RowIsFinal
from installations.models import HardwareKind
from poa_documents.actions import CompanyNotNamed
from tests.factories.company import set_company_rules
from tests.factories.installations import installation, staff
from tests.factories.poa_documents import drafted_poa

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 5, 18, tzinfo=UTC)
TODAY = chicago_day(NOON)
OLIVIA = Actor.staff(UUID(int=7))
OWN: dict[str, Any] = {"name": "Hill Country Solar", "contact": "(830) 555-0199", "broker_number": "BR123456"}


def decide(
    *, on: date = TODAY, at: datetime = NOON, reason: str = "The board decided it.", **values: Any
) -> CompanyRules:
    rules = decide_company_rules(values=values, effective_from_date=on, reason=reason, by=OLIVIA, at=at)
    company_rules.forget()
    return rules


def test_sample_rules_apply_until_the_first_decision() -> None:
    assert rules_at(NOON).name == "Lone Star Home Energy"

    decide(**OWN)

    assert rules_at(NOON).name == "Hill Country Solar"
    assert rules_at(NOON - timedelta(seconds=1)).name == "Lone Star Home Energy"
    assert CompanyRules.objects.count() == 2, "the sample that applied until then is on record too"


def test_omitted_values_stay_unchanged() -> None:
    decide(**OWN, link_days=10)

    rules = decide(at=NOON + timedelta(hours=1), max_reminders=0)

    assert (rules.name, rules.link_days, rules.max_reminders) == ("Hill Country Solar", 10, 0)


def test_scheduled_rules_start_on_their_day() -> None:
    first_of_may = date(2026, 5, 1)
    decide(on=first_of_may, advance_notice_days=7)

    begins = chicago_midnight(first_of_may)
    assert rules_at(begins - timedelta(seconds=1)).advance_notice_days != 7
    assert rules_at(begins).advance_notice_days == 7
    assert [rules.effective_from for rules in scheduled_rules(after=NOON)] == [begins]
    assert scheduled_rules(after=begins) == []


def test_newer_of_two_rules_for_one_day_applies() -> None:
    day = TODAY + timedelta(days=3)
    decide(on=day, link_days=5)
    decide(on=day, at=NOON + timedelta(hours=1), link_days=6)

    assert rules_at(chicago_midnight(day)).link_days == 6


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"on": TODAY - timedelta(days=1)}, "effective_from_date"),
        ({"reason": " "}, "reason"),
        ({"broker_number": "123"}, "broker_number"),
        ({"name": ""}, "name"),
        ({"link_days": 0}, "link_days"),
        ({"advance_notice_days": 15}, "advance_notice_days"),
        ({"go_live_confirmation": "SOMETIMES"}, "go_live_confirmation"),
        ({"company_mail_domains": "office@sun.example"}, "company_mail_domains"),
        ({"reminder_from_hour": 19, "reminder_until_hour": 9}, "reminder_until_hour"),
    ],
)
def test_impossible_rules_are_refused_by_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(RulesNotPossible) as refusal:
        decide(**changes)

    assert list(refusal.value.problems) == [field]
    assert not CompanyRules.objects.exists()


def test_recorded_rules_never_change() -> None:
    rules = decide(**OWN)
    rules.name = "Somebody Else"

    with pytest.raises(RowIsFinal):
        rules.save()
    with pytest.raises(RowIsFinal):
        rules.delete()
    for forgery in ("UPDATE core_companyrules SET link_days = 1", "DELETE FROM core_companyrules"):
        with pytest.raises(DatabaseError, match="are final"), transaction.atomic():
            connection.cursor().execute(forgery)
    with pytest.raises(DatabaseError), transaction.atomic():
        CompanyRules.objects.bulk_create(
            [CompanyRules(**OWN, effective_from=NOON - timedelta(days=9), decided_at=NOON, decided_by="x", reason="x")]
        )


def test_reading_rules_costs_a_query_every_few_seconds(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    company_rules.forget()
    with django_assert_num_queries(1):
        for _ in range(50):
            company_rules.current_rules()

    monkeypatch.setattr(company_rules._memory, "until", 0.0)
    with django_assert_num_queries(1):
        company_rules.current_rules()


def test_decision_is_visible_in_its_process_after_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        decide_company_rules(values=OWN, effective_from_date=TODAY, reason="New name.", by=OLIVIA, at=NOON)

    assert rules_at(NOON).name == "Hill Country Solar"


def test_company_decides_which_sales_are_cancelable() -> None:
    assert installation(kind=HardwareKind.BATTERY).embargo_end_date is None

    set_company_rules(battery_sale_can_be_canceled=True)

    assert installation(kind=HardwareKind.BATTERY).embargo_end_date is not None


def test_production_drafts_nothing_under_the_sample_name(settings: Any) -> None:
    settings.SAMPLE_COMPANY_ALLOWED = False

    with pytest.raises(CompanyNotNamed, match="company name, contact, broker registration number"):
        drafted_poa()

    set_company_rules(**OWN)
    assert drafted_poa().pk


def test_production_warns_about_the_sample_company(settings: Any, client: Client) -> None:
    settings.SAMPLE_COMPANY_ALLOWED = False
    client.force_login(staff())

    assert [each.id for each in company_is_not_the_sample(None, databases=["default"])] == ["switchyard.W004"]
    assert "Company rules still have the sample" in client.get("/admin/").content.decode()

    set_company_rules(**OWN)

    assert company_is_not_the_sample(None, databases=["default"]) == []
    assert "Company rules still have the sample" not in client.get("/admin/").content.decode()


def answers(**changes: Any) -> dict[str, Any]:
    sample = company_rules.sample_rules()
    values = {name: getattr(sample, name) for name in RULE_FIELDS}
    typed = {name: value for name, value in values.items() if value is not False}
    return {**typed, **OWN, "effective_from_date": chicago_day(clock.now()), "reason": "Our name.", **changes}


def staff_member(name: str) -> User:
    return User.objects.create_user(name, password="a long enough password", is_staff=True)


@pytest.fixture
def decider() -> User:
    person = staff_member("dora")
    person.groups.add(Group.objects.get(name=OFFICE_GROUP), Group.objects.get(name=COMPANY_RULES_GROUP))
    return person


def test_form_starts_with_current_rules_and_adds_new_ones(client: Client, decider: User) -> None:
    client.force_login(decider)
    address = reverse("admin:core_companyrules_add")

    page = client.get(address).content.decode()
    assert "Lone Star Home Energy" in page

    answer = client.post(address, answers(advance_notice_days=5, call_back_for_first_address="on"))

    assert answer.status_code == 302
    rules = CompanyRules.objects.first()
    assert rules is not None
    assert (rules.name, rules.advance_notice_days, rules.call_back_for_first_address) == ("Hill Country Solar", 5, True)
    assert (rules.decided_by, rules.reason) == (str(Actor.staff(decider.public_id)), "Our name.")


def test_form_shows_scheduled_rules(client: Client, decider: User) -> None:
    client.force_login(decider)
    later = chicago_day(clock.now()) + timedelta(days=30)
    decide(on=later, at=clock.now(), reason="The new year's rules.")

    page = client.get(reverse("admin:core_companyrules_add")).content.decode()

    assert "The new year&#x27;s rules." in page
    assert "Scheduled" in client.get(reverse("admin:core_companyrules_changelist")).content.decode()


def test_refused_form_keeps_what_was_typed(client: Client, decider: User) -> None:
    client.force_login(decider)
    address = reverse("admin:core_companyrules_add")

    page = client.post(address, answers(broker_number="12"), follow=True).content.decode()

    assert "Type BR and six digits." in page
    assert "Hill Country Solar" in page
    assert not CompanyRules.objects.exists()


def test_office_reads_rules_but_cannot_change_them(client: Client) -> None:
    person = staff_member("olga")
    person.groups.add(Group.objects.get(name=OFFICE_GROUP))
    client.force_login(person)

    assert client.get(reverse("admin:core_companyrules_changelist")).status_code == 200
    assert client.get(reverse("admin:core_companyrules_add")).status_code == 403
    assert client.post(reverse("admin:core_companyrules_add"), answers()).status_code == 403
