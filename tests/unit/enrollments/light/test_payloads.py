from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from enrollments.light.dialect import Dialect
from enrollments.light.payloads import (
    Acceptance,
    Account,
    LightStage,
    Location,
    NewAccount,
    Plan,
    UnreadableResponse,
    derive_stage,
    missing_prerequisites,
    name_unusable,
    parse_account,
    parse_accounts,
    parse_documents,
    parse_hosted_link,
    parse_plans,
    parse_write_answer,
)
from tests.unit.enrollments.light.strategies import json_values

TODAY = date(2026, 5, 4)
ACCOUNT_UUID = "c3f1d2b4-7a68-4e0e-9a55-0f1e2d3c4b5a"
PLAN_UUID = "5b0e6c1a-1111-4222-8333-0f1e2d3c4b5a"
PLAN_KEYS = ("rate_structure", "plan_type", *Plan.model_fields, "links")
ACCOUNT_KEYS = (*Account.model_fields, "enrollment", "enrollment_status")
FLAGS = ("has_accepted_plan", "has_payment_method", "is_billing_address_confirmed", "is_identity_verified",
         "is_enrollment_finalized", "is_service_active")  # fmt: skip


def plan(**fields: object) -> Plan:
    return parse_plans([{"uuid": PLAN_UUID, **fields}], dialect=Dialect()).plans[0]


@given(source=json_values)
def test_arbitrary_json_is_read_or_refused_by_name(source: object) -> None:
    for parse in (
        lambda given: parse_plans(given, dialect=Dialect()),
        parse_hosted_link,
        parse_documents,
        lambda given: parse_write_answer(given, status=200, dialect=Dialect()),
        lambda given: parse_account(given, dialect=Dialect()),
    ):
        try:
            parse(source)
        except UnreadableResponse as refusal:
            assert str(refusal)  # noqa: PT017 - either outcome is right, any other exception is not


@given(fields=st.dictionaries(st.sampled_from(PLAN_KEYS), json_values))
def test_bad_plan_field_does_not_hide_the_others(fields: dict[str, object]) -> None:
    source = {**fields, "uuid": PLAN_UUID, "name": "Solar 12", "avg_cents_per_kwh_1000": "14.2"}

    read = parse_plans({"plans": [source]}, dialect=Dialect()).plans[0]

    assert (read.name, read.avg_cents_per_kwh_1000) == ("Solar 12", Decimal("14.2"))
    assert json.dumps(read.raw)


@given(
    enrollment=st.dictionaries(st.sampled_from(FLAGS), json_values) | json_values,
    fields=st.dictionaries(st.sampled_from(ACCOUNT_KEYS), json_values),
    location=st.dictionaries(st.sampled_from([*Location.model_fields, "utility_number"]), json_values),
)
def test_every_account_has_a_derived_stage(
    enrollment: object, fields: dict[str, object], location: dict[str, object]
) -> None:
    source = {"locations": [location], **fields, "uuid": ACCOUNT_UUID, "enrollment": enrollment}

    account = parse_account(source, dialect=Dialect())

    assert derive_stage(account, TODAY) in LightStage
    assert json.dumps(account.raw)


@given(value=json_values)
def test_every_amount_is_finite_in_range_or_named_unreadable(value: object) -> None:
    read = plan(avg_cents_per_kwh_500=value)

    amount = read.avg_cents_per_kwh_500

    if amount is None:
        assert value in (None, "") or read.unreadable_fields == ("avg_cents_per_kwh_500",)
    else:
        assert amount.is_finite()
        assert 0 <= amount < 1_000_000


@pytest.mark.parametrize("value", ["10.10", Decimal("10.10"), 10.1, " 10.1 "])
def test_amount_is_read_from_text_and_numbers(value: object) -> None:
    assert plan(energy_rate_cents_per_kwh=value).energy_rate_cents_per_kwh == Decimal("10.1")


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-1", "1_000", "1e5", "abc", True, [], {}, Decimal("NaN"), Decimal("1E+999999"),
     float("inf"), 10**30, "١٢", "12,5"],
)  # fmt: skip
def test_meaningless_amount_is_none_and_named(value: object) -> None:
    read = plan(energy_rate_cents_per_kwh=value, term_months=12)

    assert read.energy_rate_cents_per_kwh is None
    assert read.unreadable_fields == ("energy_rate_cents_per_kwh",)
    assert read.term_months == 12


@pytest.mark.parametrize("value", [12, "12", Decimal("12.0")])
def test_term_is_read_as_an_integer(value: object) -> None:
    assert plan(term_months=value).term_months == 12


@pytest.mark.parametrize("value", ["12.5", -12, 10_000, "a year", True])
def test_meaningless_term_is_none_and_named(value: object) -> None:
    read = plan(term_months=value)

    assert read.term_months is None
    assert read.unreadable_fields == ("term_months",)


@pytest.mark.parametrize("value", ["soon", 1_700_000_000, "0001-01-01T00:00:00+23:59"])
def test_invalid_expiry_is_none_and_named(value: object) -> None:
    read = plan(expires_at=value)

    assert read.expires_at is None
    assert read.unreadable_fields == ("expires_at",)


@pytest.mark.parametrize(
    ("value", "earliest"),
    [
        ("2026-05-04", datetime(2026, 5, 4, tzinfo=UTC)),
        ("2026-05-04T10:00:00", datetime(2026, 5, 4, 10, tzinfo=UTC)),
    ],
)
def test_expiry_without_a_zone_is_read_at_its_earliest(value: str, earliest: datetime) -> None:
    assert plan(expires_at=value).expires_at == earliest


def test_expiry_is_kept_in_utc() -> None:
    assert plan(expires_at="2026-05-04T23:59:59-05:00").expires_at == datetime(2026, 5, 5, 4, 59, 59, tzinfo=UTC)


def test_invalid_link_is_none_and_named() -> None:
    read = plan(links={"efl": "https://light.dev/efl", "tos": "javascript:alert(1)", "yrac": None})

    assert (read.efl_url, read.tos_url, read.yrac_url) == ("https://light.dev/efl", None, None)
    assert read.unreadable_fields == ("links.tos",)


BAD_IDENTIFIERS = [None, "", "plan-7", 7, ["x"], {"a": 1}, "{5b0e6c1a-1111-4222-8333-0f1e2d3c4b5a}", PLAN_UUID[:-1],
                   "5b0e6c1a1111422283330f1e2d3c4b5a", PLAN_UUID + "\n", "\u0665" + PLAN_UUID[1:]]  # fmt: skip


@pytest.mark.parametrize("identifier", BAD_IDENTIFIERS)
def test_unreadable_plan_hides_no_other(identifier: object) -> None:
    offered = parse_plans([{"uuid": identifier}, {"uuid": PLAN_UUID}, {}, "p", None], dialect=Dialect())

    assert [each.uuid for each in offered.plans] == [PLAN_UUID]
    assert [each.place for each in offered.unusable] == [1, 3, 4, 5]


@pytest.mark.parametrize("identifier", BAD_IDENTIFIERS)
def test_unreadable_account_hides_no_other(identifier: object) -> None:
    entries = [{"uuid": identifier, "email": "maria@example.com"}, {"uuid": ACCOUNT_UUID}, 5]

    listed = parse_accounts(entries, dialect=Dialect())

    assert [each.uuid for each in listed.accounts] == [ACCOUNT_UUID]
    assert [(each.place, each.email) for each in listed.unusable] == [(1, "maria@example.com"), (3, None)]


def test_unusable_value_is_shown_shortened_without_the_address() -> None:
    entry = {"uuid": "a\x00\u202e" + "x" * 500, "email": "maria@example.com"}

    shown = name_unusable(parse_accounts([entry, *[{}] * 9], dialect=Dialect()).unusable)

    assert shown.startswith("number 1 (identifier “a??x")
    assert shown.endswith("number 5 (no identifier) and 5 more")
    assert len(shown) < 250


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"rate_structure": "FIXED"}, "FIXED"),
        ({"rate_structure": "fixed-rate"}, "FIXED"),
        ({"rate_structure": " Variable Rate "}, "VARIABLE"),
        ({"rate_structure": None, "plan_type": "indexed"}, "INDEXED"),
        ({"rate_structure": "flat", "plan_type": "fixed"}, "FLAT"),
        ({"plan_type": "residential"}, "RESIDENTIAL"),
        ({"rate_structure": ""}, None),
        ({"rate_structure": 7}, None),
        ({}, None),
    ],
)
def test_first_place_with_a_value_gives_the_rate_kind(fields: dict[str, object], kind: str | None) -> None:
    assert plan(**fields).rate_kind == kind


def test_dialect_names_place_and_values_of_rate_kinds() -> None:
    dialect = Dialect(rate_kind_lookup=("terms.rate",), rate_kind_spellings=(("FLAT", "FIXED"),))

    offered = parse_plans([{"uuid": PLAN_UUID, "terms": {"rate": "Flat"}, "rate_structure": "x"}], dialect=dialect)

    assert offered.plans[0].rate_kind == "FIXED"


def test_flags_are_false_when_the_enrollment_is_absent() -> None:
    account = parse_account({"uuid": ACCOUNT_UUID}, dialect=Dialect())

    assert not any(getattr(account, flag) for flag in FLAGS)
    assert account.client_agent_accepted is None


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ({"enrollment": {"status": "x"}, "status": "y"}, "x"),
        ({"enrollment": {"status": None}, "status": "y"}, "y"),
        ({"enrollment_status": "z"}, "z"),
        ({"enrollment": {"state": "w"}}, "w"),
        ({"enrollment": {}}, None),
    ],
)
def test_status_is_found_in_dialect_order(source: dict[str, object], status: str | None) -> None:
    account = parse_account({"uuid": ACCOUNT_UUID, **source}, dialect=Dialect())

    assert account.status == status


def test_meter_number_sent_as_a_number_is_found() -> None:
    source = {"uuid": ACCOUNT_UUID, "locations": [{"uuid": "l", "utility_number": 10443720001234567}]}

    account = parse_account(source, dialect=Dialect())

    assert account.locations[0].esi_id == "10443720001234567"


COMPLETE = {"is_identity_verified": True, "has_payment_method": True, "is_billing_address_confirmed": True}


def account_with(**fields: object) -> Account:
    return Account.model_validate({"uuid": ACCOUNT_UUID, **fields})


@pytest.mark.parametrize(
    ("account", "stage"),
    [
        (account_with(is_service_active=True, is_enrollment_finalized=True), LightStage.ACTIVE),
        (account_with(locations=(Location(uuid="l", is_service_active=True),)), LightStage.ACTIVE),
        (account_with(locations=(Location(uuid="l", final_service_date=date(2026, 5, 3)),)), LightStage.ENDED),
        (
            account_with(locations=(Location(uuid="l", final_service_date=TODAY),), is_enrollment_finalized=True),
            LightStage.FINALIZED,
        ),
        (account_with(is_enrollment_finalized=True, has_accepted_plan=True), LightStage.FINALIZED),
        (account_with(has_accepted_plan=True, status="credit_check_frozen"), LightStage.ACCEPTED),
        (
            account_with(locations=(Location(uuid="l", plan_uuid="p"),), status="enrollment_pending_client_agent"),
            LightStage.ACCEPTED,
        ),
        (account_with(status="credit_check_frozen"), LightStage.FROZEN),
        (account_with(status="enrollment_pending_client_agent"), LightStage.READY),
        (account_with(status="never_heard_of"), LightStage.UNKNOWN),
        (account_with(status="enrollment_started"), LightStage.COLLECTING),
        (account_with(), LightStage.COLLECTING),
        (account_with(**COMPLETE), LightStage.READY),
        (account_with(**COMPLETE, status="credit_check_frozen"), LightStage.FROZEN),
        (account_with(**COMPLETE, status="enrollment_started"), LightStage.COLLECTING),
        (account_with(**COMPLETE, unreadable_fields=("status",)), LightStage.UNKNOWN),
        (account_with(**{**COMPLETE, "has_payment_method": False}), LightStage.COLLECTING),
    ],
)
def test_first_matching_rule_gives_the_stage(account: Account, stage: LightStage) -> None:
    assert derive_stage(account, TODAY) is stage


def test_cancel_event_ends_inactive_service() -> None:
    account = account_with(is_enrollment_finalized=True)

    assert derive_stage(account, TODAY, has_cancel_event=True) is LightStage.ENDED


@pytest.mark.parametrize("flag", ["has_accepted_plan", "is_enrollment_finalized"])
def test_account_with_unreadable_flags_is_never_ready(flag: str) -> None:
    source = {"uuid": ACCOUNT_UUID, "status": "enrollment_pending_client_agent", "enrollment": {flag: "perhaps"}}

    account = parse_account(source, dialect=Dialect())

    assert account.unreadable_fields == (f"enrollment.{flag}",)
    assert derive_stage(account, TODAY) is LightStage.UNKNOWN


@pytest.mark.parametrize(
    ("enrollment", "is_denied"),
    [
        ({"has_accepted_plan": False}, True),
        ({"has_accepted_plan": "false"}, True),
        ({"has_accepted_plan": True}, False),
        ({"has_accepted_plan": "perhaps"}, False),
        ({"has_accepted_plan": None}, False),
        ({}, False),
        (None, False),
    ],
)
def test_only_an_explicit_no_denies_an_acceptance(enrollment: dict[str, object] | None, *, is_denied: bool) -> None:
    account = parse_account({"uuid": ACCOUNT_UUID, "enrollment": enrollment}, dialect=Dialect())

    assert account.is_acceptance_denied is is_denied


def test_missing_prerequisites_are_the_customers_remaining_steps() -> None:
    account = account_with(has_payment_method=True)

    assert missing_prerequisites(account) == ("identity", "billing_address")


@pytest.mark.parametrize("esi_id", ["", "1234", "1" * 23, "1.0443720001234567E+16", "1044372000123456\uff17"])
def test_acceptance_refuses_an_impossible_meter_number(esi_id: str) -> None:
    with pytest.raises(ValidationError):
        Acceptance(plan_uuid="p", esi_id=esi_id, service_start_date=TODAY)


def test_personal_data_is_hidden_in_repr_and_errors() -> None:
    person = NewAccount(email="maria@example.com", first_name="Maria", last_name="Ochoa", date_of_birth=TODAY)
    with pytest.raises(ValidationError) as caught:
        NewAccount.model_validate({"email": "maria@example.com", "first_name": ["Maria"], "last_name": "Ochoa"})

    told = f"{person!r} {caught.value}"

    assert "maria" not in told.lower()
    assert "2026" not in told


# One meter of an account

OUR_ESI_ID, OTHER_ESI_ID = "10443720000000001", "10443720000000002"
SECOND_HOME = {"uuid": "l", "utility_number": OTHER_ESI_ID, "plan_uuid": "p", "service_start_date": "2026-04-01"}


def account_at(*locations: object, **flags: bool) -> Account:
    return parse_account(
        {
            "uuid": ACCOUNT_UUID,
            "status": "enrollment_pending_client_agent",
            "enrollment": flags,
            "locations": list(locations),
        },
        dialect=Dialect(),
    )


def test_second_home_does_not_make_ours_accepted_or_active() -> None:
    account = account_at(
        {**SECOND_HOME, "is_service_active": True},
        has_accepted_plan=True,
        is_enrollment_finalized=True,
        is_service_active=True,
    )

    ours = account.for_meter(OUR_ESI_ID)

    assert account.shows_acceptance
    assert not ours.shows_acceptance
    assert derive_stage(ours, TODAY) == LightStage.READY
    assert derive_stage(account.for_meter(OTHER_ESI_ID), TODAY) == LightStage.ACTIVE


def test_flags_count_if_only_one_meter_is_known() -> None:
    account = account_at(has_accepted_plan=True)

    assert account.for_meter(OUR_ESI_ID) == account


def test_canceled_status_is_news_without_its_webhook() -> None:
    account = parse_account({"uuid": ACCOUNT_UUID, "status": "service_canceled"}, dialect=Dialect())

    assert account.is_canceled
    assert derive_stage(account, TODAY) == LightStage.ENDED


@pytest.mark.parametrize(("last_day", "stage"), [(date(2026, 5, 4), False), (date(2026, 5, 3), True)])
def test_canceled_service_runs_to_its_last_day(last_day: date, *, stage: bool) -> None:
    account = parse_account(
        {
            "uuid": ACCOUNT_UUID,
            "status": "service_canceled",
            "locations": [{**SECOND_HOME, "final_service_date": str(last_day)}],
        },
        dialect=Dialect(),
    )

    assert account.last_day_of_service == last_day
    assert (derive_stage(account, TODAY) == LightStage.ENDED) is stage
