"""The client and the stand-in for Light complete a whole enrollment together, in every dialect."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from enrollments.light.client import LightClient
from enrollments.light.dialect_settings import read_dialect
from enrollments.light.errors import Conflict, InDoubt, LightError, NotReached, Refused, UnknownToLight
from enrollments.light.payloads import (
    Acceptance,
    Account,
    LightStage,
    NewAccount,
    derive_stage,
    missing_prerequisites,
)
from enrollments.light.webhook_events import KnownEvent, parse_event
from enrollments.light.webhook_signatures import SignatureTooOld, SignatureWrong, verify
from simulator.server import RunningSimulator, start_simulator
from simulator.webhooks import signed_headers
from tests.contract.dialects import ALTERNATE, DIALECT_PAIRS, DialectPair

ESI_ID = "10443720001234567"
NOON = datetime(2026, 5, 4, 17, 0, tzinfo=UTC)
CHICAGO = ZoneInfo("America/Chicago")
PERSON = NewAccount(
    email="maria@example.com",
    first_name="Maria",
    last_name="Ochoa",
    phone_number="+15125550100",
    date_of_birth=date(1980, 2, 3),
)


@pytest.fixture(params=DIALECT_PAIRS, ids=lambda pair: pair.name)
def pair(request: pytest.FixtureRequest) -> DialectPair:
    chosen: DialectPair = request.param
    return chosen


@pytest.fixture
def light(pair: DialectPair) -> Iterator[RunningSimulator]:
    running = start_simulator(dialect=pair.simulator)
    running.control.freeze_clock()
    running.control.set_now(NOON)
    yield running
    running.stop()


@pytest.fixture
def client(pair: DialectPair, light: RunningSimulator) -> Iterator[LightClient]:
    with LightClient(
        base_url=light.url,
        app_token=light.app_token,
        dialect=pair.client,
        read_timeout_seconds=5,
        clock=light.control.now,
        pause=lambda _seconds: None,
    ) as talking:
        yield talking


def stage(client: LightClient, light: RunningSimulator, account_uuid: str) -> LightStage:
    today = light.control.now().astimezone(CHICAGO).date()
    return derive_stage(client.read_account(account_uuid), today, known_statuses=client.dialect.known_statuses)


def ready_account(client: LightClient, light: RunningSimulator, *, email: str = PERSON.email) -> Account:
    account = client.create_account(PERSON.model_copy(update={"email": email}))
    client.record_client_agent(account.uuid, accepted_at=NOON - timedelta(days=1))
    light.control.complete(account.uuid, esi_id=ESI_ID)
    return client.read_account(account.uuid)


def acceptance(client: LightClient, account_uuid: str) -> Acceptance:
    plan = client.request_plans(account_uuid, esi_id=ESI_ID).plans[0]
    return Acceptance(plan_uuid=plan.uuid, esi_id=ESI_ID, service_start_date=date(2026, 5, 20))


def test_named_dialect_fits_the_simulator(pair: DialectPair) -> None:
    assert read_dialect(pair.name, {}) == pair.client


def test_whole_flow_from_a_new_account_to_active_service(client: LightClient, light: RunningSimulator) -> None:
    account = client.create_account(PERSON)
    stages = [stage(client, light, account.uuid)]
    todo = missing_prerequisites(client.read_account(account.uuid))
    client.record_client_agent(account.uuid, accepted_at=NOON - timedelta(days=1))
    client.record_client_agent(account.uuid, accepted_at=NOON - timedelta(days=1))
    link = client.hosted_link(account.uuid)
    light.control.complete(account.uuid, esi_id=ESI_ID)
    stages.append(stage(client, light, account.uuid))
    offered = client.request_plans(account.uuid, esi_id=ESI_ID)
    chosen = offered.plans[0]
    client.accept_plan(
        account.uuid,
        Acceptance(plan_uuid=chosen.uuid, esi_id=ESI_ID, service_start_date=date(2026, 5, 20)),
    )
    stages.append(stage(client, light, account.uuid))
    client.finalize(account.uuid)
    stages.append(stage(client, light, account.uuid))
    light.control.advance(timedelta(days=17))
    stages.append(stage(client, light, account.uuid))
    final = client.read_account(account.uuid)
    documents = client.location_documents(account.uuid, final.locations[0].uuid)

    assert stages == [
        LightStage.COLLECTING,
        LightStage.READY,
        LightStage.ACCEPTED,
        LightStage.FINALIZED,
        LightStage.ACTIVE,
    ]
    assert todo == ("identity", "payment_method", "billing_address")
    assert link.login_link.startswith(light.url)
    assert offered.dropped == 0
    assert chosen.unreadable_fields == ()
    assert None not in (chosen.group_uuid, chosen.term_months, chosen.avg_cents_per_kwh_1000, chosen.efl_url)
    assert final.unreadable_fields == ()
    assert final.locations[0].esi_id == ESI_ID
    assert final.locations[0].plan_uuid == chosen.uuid
    assert final.locations[0].service_start_date == date(2026, 5, 20)
    assert documents.efl is not None
    assert len(light.control.acceptances()) == 1
    recorded = light.world.accounts[account.uuid]
    assert recorded.client_agent_accepted_at == NOON - timedelta(days=1)
    assert recorded.phone_number == "+15125550100"
    assert recorded.birth_date == "1980-02-03"


def test_accounts_are_found_by_e_mail(client: LightClient, light: RunningSimulator) -> None:
    wanted = client.create_account(PERSON)
    client.create_account(PERSON.model_copy(update={"email": "else@example.com"}))

    found = client.find_accounts("maria@example.com")

    assert [account.uuid for account in found.accounts] == [wanted.uuid]


@pytest.mark.parametrize("kind", ["drop_after", "error_after", "truncate_after", "malformed"])
def test_lost_accept_is_in_doubt_until_reading_shows_it(
    client: LightClient, light: RunningSimulator, kind: str
) -> None:
    account = ready_account(client, light)
    wanted = acceptance(client, account.uuid)
    light.control.inject_fault("accept", kind)

    with pytest.raises(InDoubt):
        client.accept_plan(account.uuid, wanted)

    assert stage(client, light, account.uuid) is LightStage.ACCEPTED
    assert len(light.control.acceptances()) == 1


@pytest.mark.parametrize("kind", ["drop_before", "error_before", "html"])
def test_lost_accept_is_in_doubt_and_reading_shows_nothing(
    client: LightClient, light: RunningSimulator, kind: str
) -> None:
    account = ready_account(client, light)
    wanted = acceptance(client, account.uuid)
    light.control.inject_fault("accept", kind)

    with pytest.raises(InDoubt):
        client.accept_plan(account.uuid, wanted)

    assert stage(client, light, account.uuid) is LightStage.READY
    assert light.control.acceptances() == []


@pytest.mark.parametrize("kind", ["drop_after", "error_after", "truncate_after", "malformed", "nulls"])
def test_lost_create_is_in_doubt_until_search_finds_the_account(
    client: LightClient, light: RunningSimulator, kind: str
) -> None:
    light.control.inject_fault("create", kind)

    with pytest.raises(InDoubt):
        client.create_account(PERSON)

    assert len(client.find_accounts(PERSON.email).accounts) == 1


CALLS: dict[str, Callable[[LightClient, str, Acceptance], object]] = {
    "create": lambda client, _uuid, _wanted: client.create_account(PERSON),
    "record": lambda client, uuid, _wanted: client.record_client_agent(uuid, accepted_at=NOON),
    "read": lambda client, uuid, _wanted: client.read_account(uuid),
    "list": lambda client, _uuid, _wanted: client.find_accounts("maria@example.com"),
    "token": lambda client, uuid, wanted: client.accept_plan(uuid, wanted),
    "flow_login": lambda client, uuid, _wanted: client.hosted_link(uuid),
    "request_plans": lambda client, uuid, _wanted: client.request_plans(uuid, esi_id=ESI_ID),
    "accept": lambda client, uuid, wanted: client.accept_plan(uuid, wanted),
    "finalize": lambda client, uuid, _wanted: client.finalize(uuid),
}
KINDS = (
    "drop_before", "drop_after", "error_before", "error_after", "rate_limit", "truncate_after", "malformed", "html",
    "unauthorized", "forbidden", "not_found", "conflict", "unprocessable", "nulls", "numbers_as_text",
)  # fmt: skip


@pytest.mark.parametrize("operation", CALLS)
def test_every_fault_raises_only_named_errors(client: LightClient, light: RunningSimulator, operation: str) -> None:
    light.control.set_dialect(rate_limit_per_second=0)
    for round_number, kind in enumerate(KINDS, start=1):
        light.control.clear_faults()
        account = ready_account(client, light, email=f"{kind}@example.com")
        wanted = acceptance(client, account.uuid)
        light.control.inject_fault(operation, kind, times=None, retry_after="60")

        try:
            CALLS[operation](client, account.uuid, wanted)
        except (NotReached, Refused, InDoubt, LightError) as error:
            assert str(error)  # noqa: PT017 - which named error it is depends on call and fault

        assert len(light.control.acceptances()) <= round_number


def test_busy_light_returns_its_wait(client: LightClient, light: RunningSimulator) -> None:
    account = ready_account(client, light)
    wanted = acceptance(client, account.uuid)
    light.control.inject_fault("accept", "rate_limit", retry_after="42")

    with pytest.raises(NotReached) as caught:
        client.accept_plan(account.uuid, wanted)

    assert caught.value.retry_after_seconds == 42
    assert light.control.acceptances() == []


def test_date_outside_the_window_is_refused_with_a_reason(client: LightClient, light: RunningSimulator) -> None:
    account = ready_account(client, light)
    plan = client.request_plans(account.uuid, esi_id=ESI_ID).plans[0]

    with pytest.raises(Refused) as caught:
        client.accept_plan(
            account.uuid,
            Acceptance(plan_uuid=plan.uuid, esi_id=ESI_ID, service_start_date=date(2026, 5, 5)),
        )

    assert caught.value.reasons


def test_expired_plan_is_a_conflict(client: LightClient, light: RunningSimulator) -> None:
    account = ready_account(client, light)
    wanted = acceptance(client, account.uuid).model_copy(update={"service_start_date": date(2026, 6, 1)})
    light.control.advance(timedelta(days=12))

    with pytest.raises(Conflict):
        client.accept_plan(account.uuid, wanted)


def test_missing_account_is_unknown(client: LightClient) -> None:
    with pytest.raises(UnknownToLight):
        client.read_account("00000000-0000-4000-8000-000000000000")


def test_frozen_credit_is_seen_and_thaws(client: LightClient, light: RunningSimulator) -> None:
    account = ready_account(client, light, email="maria+frozen@example.com")
    before = stage(client, light, account.uuid)

    light.control.unfreeze_credit(account.uuid)

    assert before is LightStage.FROZEN
    assert stage(client, light, account.uuid) is LightStage.READY


def test_webhook_needs_the_right_secret(pair: DialectPair, light: RunningSimulator) -> None:
    body = b'{"uuid": "e1", "event": "enrollment.finalized", "account": {"uuid": "a1"}}'
    headers = signed_headers(pair.simulator, light.webhook_secret, body, NOON)
    scheme = pair.client.webhook

    verify(scheme=scheme, secrets=["newer", light.webhook_secret], headers=headers, body=body, now=NOON)

    with pytest.raises(SignatureWrong):
        verify(scheme=scheme, secrets=["another"], headers=headers, body=body, now=NOON)
    with pytest.raises(SignatureWrong):
        verify(scheme=scheme, secrets=[light.webhook_secret], headers=headers, body=body + b" ", now=NOON)


def test_replayed_webhook_is_too_old_if_time_is_signed() -> None:
    headers = signed_headers(ALTERNATE.simulator, "secret", b"{}", NOON)

    with pytest.raises(SignatureTooOld):
        verify(
            scheme=ALTERNATE.client.webhook,
            secrets=["secret"],
            headers=headers,
            body=b"{}",
            now=NOON + timedelta(minutes=6),
        )


def test_flow_events_name_their_account(client: LightClient, light: RunningSimulator) -> None:
    account = ready_account(client, light)
    client.accept_plan(account.uuid, acceptance(client, account.uuid))
    client.finalize(account.uuid)
    bodies = [delivery.body for delivery in light.world.webhooks.deliveries]

    events = [parse_event(body) for body in bodies]

    assert {event.account_uuid for event in events} == {account.uuid}
    assert {KnownEvent.PLAN_ACCEPTED, KnownEvent.FINALIZED} <= {event.known for event in events}
    assert len(
        {event.event_id or hashlib.sha256(body).hexdigest() for event, body in zip(events, bodies, strict=True)}
    ) == len(bodies)
