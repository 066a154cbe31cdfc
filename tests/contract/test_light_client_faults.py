"""What each fault on the way to Light means: nothing happened, refused, or in doubt (fault matrix, cells L)."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from email.utils import formatdate

import pytest

from enrollments.light.client import LightClient
from enrollments.light.errors import (
    Conflict,
    InDoubt,
    LightError,
    NotReached,
    Refused,
    Unauthorized,
    UnknownToLight,
    WrongDialect,
)
from enrollments.light.payloads import Acceptance, NewAccount
from enrollments.light.transport import Exchange
from tests.contract.conftest import ClientMaker
from tests.contract.scripted_light import (
    Script,
    ScriptedLight,
    answer,
    close_connection,
    dripping,
    dripping_headers,
    reset,
    scripted_light,
    silence,
    truncated_answer,
)

UUID = "c3f1d2b4-7a68-4e0e-9a55-0f1e2d3c4b5a"
ESI_ID = "10443720000000001"
TOKEN = answer(200, {"token": "account-token-1", "expires_at": "2026-05-04T17:20:00Z"})
ACCEPTANCE = Acceptance(plan_uuid="plan-1", esi_id=ESI_ID, service_start_date=date(2026, 5, 20))
PERSON = NewAccount(
    email="maria@example.com",
    first_name="Maria",
    last_name="Ochoa",
    phone_number="+15125550100",
    date_of_birth=date(1980, 2, 3),
)

Call = Callable[[LightClient], object]


def create(client: LightClient) -> object:
    return client.create_account(PERSON)


def record(client: LightClient) -> None:
    client.record_client_agent(UUID, accepted_at=datetime(2026, 5, 1, 12, tzinfo=UTC))


def accept(client: LightClient) -> object:
    return client.accept_plan(UUID, ACCEPTANCE)


def finalize(client: LightClient) -> None:
    client.finalize(UUID)


def read(client: LightClient) -> object:
    return client.read_account(UUID)


def request(client: LightClient) -> object:
    return client.request_plans(UUID, esi_id=ESI_ID)


def link(client: LightClient) -> object:
    return client.hosted_link(UUID)


WRITES = [
    pytest.param(create, [], id="create"),
    pytest.param(record, [], id="record"),
    pytest.param(accept, [TOKEN], id="accept"),
    pytest.param(finalize, [TOKEN], id="finalize"),
]
READS = [
    pytest.param(read, id="read"),
    pytest.param(request, id="request"),
    pytest.param(link, id="link"),
]
DRIPPING = [
    pytest.param(dripping, id="dripping"),
    pytest.param(dripping_headers, id="L27 dripping headers"),
]
LOST_ANSWERS = [
    pytest.param(silence, id="L1 timeout"),
    pytest.param(reset, id="L3 reset"),
    pytest.param(close_connection, id="hang-up"),
    pytest.param(answer(500, {"detail": "oops"}), id="L4 500"),
    pytest.param(answer(502, b"<html>bad gateway</html>"), id="502"),
    pytest.param(answer(503, None, Retry_After="30"), id="503 with Retry-After"),
    pytest.param(answer(504), id="504"),
    pytest.param(answer(408), id="408"),
    pytest.param(answer(303, None, Location="/elsewhere"), id="303"),
    pytest.param(truncated_answer(), id="L13 half an answer"),
    pytest.param(answer(200, b'{"uuid": "a'), id="L13 half a JSON"),
    pytest.param(answer(200, b"<!doctype html><p>Welcome"), id="L14 HTML"),
    pytest.param(answer(200, b"\xff\xfe\x00"), id="no text at all"),
    pytest.param(answer(200, b"[" * 200_000), id="deep nesting"),
    pytest.param(answer(200, b"not gzip", Content_Encoding="gzip"), id="false compression"),
    pytest.param(answer(200, gzip.compress(b" " * 9_000_000), Content_Encoding="gzip"), id="a bomb"),
]


@pytest.mark.parametrize("fault", [*LOST_ANSWERS, *DRIPPING])
@pytest.mark.parametrize(("write", "before"), WRITES)
def test_write_with_lost_answer_is_sent_once_and_in_doubt(
    light: ScriptedLight, client: LightClient, write: Call, before: list[Script], fault: Script
) -> None:
    light.will(*before, fault)

    with pytest.raises(InDoubt):
        write(client)

    assert len(light.received) == len(before) + 1


@pytest.mark.parametrize("fault", LOST_ANSWERS)
@pytest.mark.parametrize("question", READS)
def test_read_with_lost_answer_may_be_repeated(
    light: ScriptedLight, client: LightClient, question: Call, fault: Script
) -> None:
    light.will(fault, fault, fault)

    with pytest.raises(NotReached):
        question(client)


@pytest.mark.parametrize("fault", DRIPPING)
@pytest.mark.parametrize("question", READS)
def test_L27_dripping_answer_uses_up_the_read_timeout(
    light: ScriptedLight, client: LightClient, question: Call, fault: Script
) -> None:
    light.will(fault, answer(200, {"uuid": UUID, "plans": [], "login_link": "https://flow.light.dev/x"}))

    with pytest.raises(NotReached):
        question(client)

    assert len(light.received) == 1


def test_L27_no_exchange_lasts_longer_than_a_minute(light: ScriptedLight) -> None:
    with LightClient(base_url=light.base_url, app_token="t", read_timeout_seconds=600) as patient:
        longest = patient._transport.max_exchange_seconds

    assert longest == 60


def test_L27_slow_host_lookup_means_not_reached(make_client: ClientMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def look_up_forever(*_about: object, **_more: object) -> None:
        over.wait(20)
        raise socket.gaierror("the test is over")

    monkeypatch.setattr(socket, "getaddrinfo", look_up_forever)
    client = make_client(base_url="http://light.example")

    try:
        with pytest.raises(NotReached, match="no connection in time"):
            create(client)
    finally:
        over.set()


@pytest.mark.parametrize("call", [create, record, accept, finalize, read, request, link])
def test_refused_connection_means_nothing_happened(make_client: ClientMaker, call: Call) -> None:
    with socket.socket() as closed_door:
        closed_door.bind(("127.0.0.1", 0))
        client = make_client(base_url=f"http://127.0.0.1:{closed_door.getsockname()[1]}")

        with pytest.raises(NotReached):
            call(client)


def test_accept_is_not_sent_without_an_account_token(light: ScriptedLight, client: LightClient) -> None:
    light.will(*[answer(503)] * 3)

    with pytest.raises(NotReached):
        accept(client)

    assert light.calls == [f"POST /v1/app/accounts/{UUID}/token"] * 3


@pytest.mark.parametrize(
    ("retry_after", "shortest", "longest"),
    [
        pytest.param("17", 17, 17, id="L6 seconds"),
        pytest.param(300, 200, 300, id="L7 date"),
        pytest.param(-300, 0, 0, id="date gone by"),
        pytest.param("999999999", 604_800, 604_800, id="absurd"),
    ],
)
@pytest.mark.parametrize(("write", "before"), WRITES)
def test_busy_light_says_how_long_to_wait(
    light: ScriptedLight,
    client: LightClient,
    write: Call,
    before: list[Script],
    retry_after: str | int,
    shortest: float,
    longest: float,
) -> None:
    """An integer is turned into an HTTP date that many seconds from now."""
    if isinstance(retry_after, int):
        retry_after = formatdate(time.time() + retry_after, usegmt=True)
    light.will(*before, answer(429, {"detail": "slow down"}, Retry_After=retry_after))

    with pytest.raises(NotReached) as caught:
        write(client)

    assert caught.value.retry_after_seconds is not None
    assert shortest <= caught.value.retry_after_seconds <= longest
    assert len(light.received) == len(before) + 1


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "soon"}, {"Retry_After": "-5"}])
def test_L8_busy_light_without_a_time_leaves_the_wait_to_us(
    light: ScriptedLight, client: LightClient, headers: dict[str, str]
) -> None:
    light.will(answer(429, None, **headers))

    with pytest.raises(NotReached) as caught:
        create(client)

    assert caught.value.retry_after_seconds is None


@pytest.mark.parametrize("question", READS)
def test_read_waits_as_long_as_light_asks_if_short(
    light: ScriptedLight, client: LightClient, pauses: list[float], question: Call
) -> None:
    light.will(answer(429, None, Retry_After="1"), answer(429, None, Retry_After="600"))

    with pytest.raises(NotReached) as caught:
        question(client)

    assert pauses == [1.0]
    assert caught.value.retry_after_seconds == 600


def test_read_is_repeated_until_the_fault_ends(light: ScriptedLight, client: LightClient) -> None:
    light.will(reset, answer(503), answer(200, {"uuid": UUID}))

    account = client.read_account(UUID)

    assert account.uuid == UUID
    assert light.calls == [f"GET /v1/app/accounts/{UUID}"] * 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (403, Refused), (404, UnknownToLight), (409, Conflict), (422, Refused), (405, WrongDialect)],
)
@pytest.mark.parametrize(("call", "before"), [(create, []), (accept, [TOKEN]), (read, []), (request, []), (link, [])])
def test_refusal_has_its_reasons_and_is_not_repeated(
    light: ScriptedLight,
    client: LightClient,
    call: Call,
    before: list[Script],
    status: int,
    kind: type[Refused],
) -> None:
    light.will(*before, answer(status, {"detail": [{"loc": ["body", "esi_id"], "msg": "too long", "type": "x"}]}))

    with pytest.raises(kind) as caught:
        call(client)

    assert caught.value.reasons == ("esi_id: too long",)
    assert caught.value.status == status
    assert len(light.received) == len(before) + 1


@pytest.mark.parametrize("call", [create, record, read, request, link, accept, finalize])
def test_unknown_app_token_is_unauthorized(light: ScriptedLight, client: LightClient, call: Call) -> None:
    light.will(answer(401, {"detail": "Unauthorized"}))

    with pytest.raises(Unauthorized):
        call(client)

    assert len(light.received) == 1


@pytest.mark.parametrize("write", [accept, finalize])
def test_L9_expired_account_token_is_replaced_once(light: ScriptedLight, client: LightClient, write: Call) -> None:
    fresh = answer(200, {"token": "account-token-2", "expires_at": "2026-05-04T17:20:00Z"})
    light.will(TOKEN, answer(401), fresh, answer(200, {}))

    write(client)

    tokens = [request.headers["authorization"] for request in light.received]
    assert tokens == [
        "Bearer app-token-of-the-test",
        "Bearer account-token-1",
        "Bearer app-token-of-the-test",
        "Bearer account-token-2",
    ]


@pytest.mark.parametrize("write", [accept, finalize])
def test_L9_second_401_is_unauthorized(light: ScriptedLight, client: LightClient, write: Call) -> None:
    light.will(TOKEN, answer(401), TOKEN, answer(401))

    with pytest.raises(Unauthorized):
        write(client)

    assert len(light.received) == 4


@pytest.mark.parametrize("status", [404, 405])
def test_missing_finalize_path_is_a_wrong_dialect(light: ScriptedLight, client: LightClient, status: int) -> None:
    light.will(TOKEN, answer(status, {"detail": "Not Found"}))

    with pytest.raises(WrongDialect, match="LIGHT_DIALECT_FINALIZE_PATH"):
        client.finalize(UUID)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("call", "before"), [(accept, [TOKEN]), (create, []), (read, []), (request, [])])
def test_redirect_is_never_followed_and_leaks_no_token(
    light: ScriptedLight, client: LightClient, call: Call, before: list[Script], status: int
) -> None:
    with scripted_light() as stranger:
        light.will(*before, answer(status, None, Location=f"{stranger.base_url}/v1/x"))

        with pytest.raises(LightError):
            call(client)

        assert stranger.received == []
        assert len(light.received) == len(before) + 1


@pytest.mark.parametrize("status", [307, 308])
def test_method_preserving_redirect_proves_the_write_was_not_done(
    light: ScriptedLight, client: LightClient, status: int
) -> None:
    light.will(answer(status, None, Location="/v1/elsewhere"))

    with pytest.raises(Refused):
        create(client)


def test_account_without_uuid_after_create_is_in_doubt(light: ScriptedLight, client: LightClient) -> None:
    light.will(answer(201, {"email": "maria@example.com"}))

    with pytest.raises(InDoubt):
        create(client)


def test_read_of_another_account_is_not_trusted(light: ScriptedLight, client: LightClient) -> None:
    light.will(answer(200, {"uuid": UUID[::-1][:8] + UUID[8:]}))

    with pytest.raises(NotReached, match="another account"):
        read(client)


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "maria@example.com, born 1980-02-03, is known to Ochoa; call +15125550100"},
        {"error": {"message": "Maria Ochoa has an account", "code": "dup"}},
        {"errors": {"email": ["maria@example.com is taken"]}},
        {"message": "token app-token-of-the-test is not for Maria"},
        {"unheard_of": "MARIA@EXAMPLE.COM"},
        b"<html>maria@example.com</html>",
    ],
)
def test_messages_contain_no_tokens_or_personal_data(
    light: ScriptedLight, client: LightClient, exchanges: list[Exchange], body: object
) -> None:
    light.will(answer(409, body))

    with pytest.raises(Conflict) as caught:
        create(client)

    told = f"{caught.value!r} {caught.value.reasons} {exchanges} {PERSON!r} {client!r}".lower()
    for secret in ("maria", "ochoa", "1980-02-03", "5125550100", "app-token-of-the-test"):
        assert secret not in told


def test_every_exchange_is_reported_without_query_or_secret(
    light: ScriptedLight, client: LightClient, exchanges: list[Exchange]
) -> None:
    light.will(answer(200, []), TOKEN, reset)
    client.find_accounts("maria@example.com")

    with pytest.raises(InDoubt):
        accept(client)

    assert [(each.method, each.path, each.status, each.error is None) for each in exchanges] == [
        ("GET", "/v1/app/accounts", 200, True),
        ("POST", f"/v1/app/accounts/{UUID}/token", 200, True),
        ("POST", "/v1/account/enroll/plans/accept", None, False),
    ]
    assert "maria" not in repr(exchanges)
