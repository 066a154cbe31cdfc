"""What the client sends, and how it reads each shape of answer that Light may return."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from enrollments.light.client import LightClient
from enrollments.light.dialect import AccountSearch, Dialect, TokenKind
from enrollments.light.errors import Conflict, NotReached, Refused
from enrollments.light.payloads import Acceptance, NewAccount
from enrollments.light.transport import Exchange
from tests.contract.conftest import NOW, ClientMaker
from tests.contract.scripted_light import Script, ScriptedLight, answer, scripted_light

UUID = "c3f1d2b4-7a68-4e0e-9a55-0f1e2d3c4b5a"
ESI_ID = "10443720000000001"
PERSON = NewAccount(
    email="maria@example.com",
    first_name="Maria",
    last_name="Ochoa",
    phone_number="+15125550100",
    date_of_birth=date(1980, 2, 3),
)
ACCEPTANCE = Acceptance(plan_uuid="plan-1", esi_id=ESI_ID, service_start_date=date(2026, 5, 20))


def token(text: str = "account-token-1", *, expires_at: datetime = NOW + timedelta(hours=1)) -> Script:
    return answer(200, {"token": text, "expires_at": expires_at.isoformat()})


def test_account_is_created_with_all_known_details(light: ScriptedLight, client: LightClient) -> None:
    light.will(answer(201, {"uuid": UUID}))

    account = client.create_account(PERSON)

    assert account.uuid == UUID
    assert light.received[0].headers["authorization"] == "Bearer app-token-of-the-test"
    assert light.received[0].payload == {
        "email": "maria@example.com",
        "first_name": "Maria",
        "last_name": "Ochoa",
        "phone_number": "+15125550100",
        "date_of_birth": "1980-02-03",
    }


def test_optional_fields_use_the_names_of_the_dialect(light: ScriptedLight, make_client: ClientMaker) -> None:
    client = make_client(dialect=Dialect(phone_field="phone", birth_date_field=None))
    light.will(answer(201, {"uuid": UUID}))

    client.create_account(PERSON)

    assert set(light.received[0].payload) == {"email", "first_name", "last_name", "phone"}


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "payload", "date_of_birth"], "msg": "not permitted"}]},
        {"error": "unknown field date_of_birth"},
        {"errors": {"phone_number": ["unknown"]}},
    ],
)
def test_refused_optional_field_is_left_out_once(light: ScriptedLight, client: LightClient, body: object) -> None:
    light.will(answer(422, body), answer(201, {"uuid": UUID}))

    account = client.create_account(PERSON)

    assert account.uuid == UUID
    assert set(light.received[1].payload) == {"email", "first_name", "last_name"}


def test_refused_required_field_is_not_retried(light: ScriptedLight, client: LightClient) -> None:
    light.will(answer(422, {"detail": [{"loc": ["body", "email"], "msg": "not an e-mail"}]}))

    with pytest.raises(Refused):
        client.create_account(PERSON)

    assert len(light.received) == 1


def uuid_of(letter: str) -> str:
    return f"{letter * 8}-0000-4000-8000-000000000000"


def test_search_follows_offsets_and_returns_newest_matches_first(light: ScriptedLight, client: LightClient) -> None:
    first = {"uuid": uuid_of("a"), "email": "Maria@Example.com", "created_at": "2026-01-01T00:00:00Z"}
    other = {"uuid": uuid_of("b"), "email": "else@example.com", "created_at": "2026-02-01T00:00:00Z"}
    last = {"uuid": uuid_of("c"), "email": "maria@example.com", "created_at": "2026-03-01T00:00:00Z"}
    light.will(
        answer(200, {"data": [first, other], "has_more": True, "limit": 2, "offset": 0, "next_page_url": None}),
        answer(200, {"data": [last], "has_more": False}),
    )

    found = client.find_accounts("maria@example.com")

    assert [account.uuid[0] for account in found.accounts] == ["c", "a"]
    assert [request.query["offset"] for request in light.received] == [["0"], ["2"]]
    assert light.received[0].query["email"] == ["maria@example.com"]


def test_search_follows_next_page_address(light: ScriptedLight, client: LightClient) -> None:
    light.will(
        answer(200, {"data": [], "next_page_url": f"{light.base_url}/v1/app/accounts?cursor=x"}),
        answer(200, {"data": [], "next_page_url": "/v1/app/accounts?cursor=y"}),
        answer(200, [{"uuid": uuid_of("a"), "email": "maria@example.com"}]),
    )

    found = client.find_accounts("maria@example.com")

    assert [account.uuid[0] for account in found.accounts] == ["a"]
    assert [request.query.get("cursor") for request in light.received] == [None, ["x"], ["y"]]


@pytest.mark.parametrize("goes_on", [True, False])
def test_full_array_leads_to_another_request(light: ScriptedLight, make_client: ClientMaker, *, goes_on: bool) -> None:
    client = make_client(dialect=Dialect(page_size=2))
    first = [{"uuid": uuid_of("a"), "email": "maria@example.com"}, {"uuid": uuid_of("b"), "email": "else@example.com"}]
    second = [{"uuid": uuid_of("c"), "email": "maria@example.com"}] if goes_on else first
    light.will(answer(200, first), answer(200, second))

    found = client.find_accounts("maria@example.com")

    assert [account.uuid[0] for account in found.accounts] == (["a", "c"] if goes_on else ["a"])


def test_search_does_not_follow_another_host(light: ScriptedLight, client: LightClient) -> None:
    with scripted_light() as stranger:
        light.will(answer(200, {"data": [], "next_page_url": f"{stranger.base_url}/v1/app/accounts?offset=50"}))

        with pytest.raises(Refused, match="another host"):
            client.find_accounts("maria@example.com")

        assert stranger.received == []


def test_circular_search_is_not_complete(light: ScriptedLight, client: LightClient) -> None:
    light.will(*[answer(200, {"data": [], "next_page_url": "/v1/app/accounts?cursor=x"})] * 3)

    with pytest.raises(Refused, match="never ends"):
        client.find_accounts("maria@example.com")


@pytest.mark.parametrize("body", [{}, "text", {"data": {}}, None])
def test_unreadable_search_is_not_empty(light: ScriptedLight, client: LightClient, body: object) -> None:
    light.will(answer(200, body))

    with pytest.raises(NotReached):
        client.find_accounts("maria@example.com")


def test_unreadable_list_entry_is_reported_with_the_others(light: ScriptedLight, client: LightClient) -> None:
    mail = {"email": "maria@example.com"}
    strange = [{**mail, "uuid": "account-7"}, 1, {"email": "else@example.com", "uuid": "account-8"}]
    light.will(answer(200, {"data": [*strange, {**mail, "uuid": uuid_of("a")}]}))

    found = client.find_accounts("maria@example.com")

    assert [account.uuid for account in found.accounts] == [uuid_of("a")]
    assert [str(entry) for entry in found.unusable] == [
        "number 1 (identifier “account-7”)",
        "number 2 (no identifier)",
    ]


def test_whole_list_is_searched_if_light_cannot_filter(light: ScriptedLight, make_client: ClientMaker) -> None:
    client = make_client(dialect=Dialect(account_search=AccountSearch.ALL, page_size=50))
    light.will(answer(200, []))

    client.find_accounts("maria@example.com")

    assert light.received[0].query == {"limit": ["50"], "offset": ["0"]}


def test_client_agent_is_recorded_with_the_signing_instant(light: ScriptedLight, client: LightClient) -> None:
    signed_at = datetime(2026, 5, 1, 9, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=-5)))
    light.will(answer(204))

    client.record_client_agent(UUID, accepted_at=signed_at)

    assert light.calls == [f"POST /v1/app/accounts/{UUID}/record-client-agent"]
    assert light.received[0].payload == {"client_agent_accepted_at": "2026-05-01T14:30:15Z"}


def test_instant_without_offset_is_never_sent(light: ScriptedLight, client: LightClient) -> None:
    naive = datetime(2026, 5, 1, 9, 30, tzinfo=UTC).replace(tzinfo=None)

    with pytest.raises(ValueError, match="offset"):
        client.record_client_agent(UUID, accepted_at=naive)

    assert light.received == []


def test_existing_client_agent_is_recognized_and_not_a_refusal(light: ScriptedLight, client: LightClient) -> None:
    light.will(answer(204), answer(409, {"detail": "already recorded"}))

    taken, recorded_before = [client.record_client_agent(UUID, accepted_at=NOW) for _ in range(2)]

    assert taken is not None
    assert recorded_before is None


def test_conflict_is_a_refusal_without_a_code_for_existing_agent(
    light: ScriptedLight, make_client: ClientMaker
) -> None:
    client = make_client(dialect=Dialect(already_recorded_statuses=()))
    light.will(answer(409))

    with pytest.raises(Conflict):
        client.record_client_agent(UUID, accepted_at=NOW)


def test_hosted_link_is_hidden_in_its_repr(light: ScriptedLight, client: LightClient) -> None:
    address = "https://flow.light.dev/?token=0123456789abcdef0123456789abcdef"
    light.will(answer(200, {"login_link": address, "scope": "enrollment", "expires_at": "2026-05-04T16:40:00Z"}))

    link = client.hosted_link(UUID, plan_group="group-1")

    assert link.login_link == address
    assert light.received[0].payload == {"scope": "enrollment", "plan_group": "group-1"}
    assert "0123456789abcdef" not in f"{link!r} {link}"


@pytest.mark.parametrize("address", [None, "", 5, "javascript:alert(1)", "https://", "https://user@evil.example/"])
def test_invalid_hosted_link_is_not_returned(light: ScriptedLight, client: LightClient, address: object) -> None:
    light.will(answer(200, {"login_link": address}))

    with pytest.raises(NotReached):
        client.hosted_link(UUID)


@pytest.mark.parametrize("is_bare", [True, False])
def test_plans_are_read_from_object_or_array(light: ScriptedLight, client: LightClient, *, is_bare: bool) -> None:
    good = b'{"uuid": "5b0e6c1a-1111-4222-8333-0f1e2d3c4b5a", "energy_rate_cents_per_kwh": 10.10, "unheard_of": 1}'
    plans = b"[" + good + b', {"name": "no uuid"}]'
    light.will(answer(200, plans if is_bare else b'{"extra": 1, "plans": ' + plans + b"}"))

    offered = client.request_plans(UUID, esi_id=ESI_ID)

    assert offered.plans[0].energy_rate_cents_per_kwh == Decimal("10.10")
    assert offered.dropped == 1
    assert light.received[0].payload == {"esi_id": ESI_ID}
    assert light.received[0].headers["authorization"] == "Bearer app-token-of-the-test"


def test_empty_plan_list_is_a_valid_answer(light: ScriptedLight, client: LightClient) -> None:
    light.will(answer(200, {"plans": []}))

    offered = client.request_plans(UUID, esi_id=ESI_ID)

    assert offered.plans == ()


@pytest.mark.parametrize("body", [{"plans": None}, {}, 5, "plans", {"plans": {"uuid": "a"}}, None])
def test_answer_without_plan_list_is_not_an_empty_list(light: ScriptedLight, client: LightClient, body: object) -> None:
    light.will(answer(200, body))

    with pytest.raises(NotReached):
        client.request_plans(UUID, esi_id=ESI_ID)


def test_plan_is_accepted_with_a_fresh_token(light: ScriptedLight, client: LightClient) -> None:
    light.will(token("older"), answer(200, {}), token("newer"), answer(200, {"uuid": "location-1", "rate": 1.5}))
    client.finalize(UUID)

    accepted = client.accept_plan(UUID, ACCEPTANCE)

    assert accepted.raw == {"uuid": "location-1", "rate": "1.5"}
    assert light.calls[2:] == [f"POST /v1/app/accounts/{UUID}/token", "POST /v1/account/enroll/plans/accept"]
    assert light.received[3].headers["authorization"] == "Bearer newer"
    assert light.received[3].payload == {
        "plan_uuid": "plan-1",
        "esi_id": ESI_ID,
        "service_start_date": "2026-05-20",
        "terms_accepted": True,
    }


@pytest.mark.parametrize("reply", [answer(200, {}), answer(204), answer(201, {"uuid": "x"}), answer(200, None)])
def test_any_2xx_is_success(light: ScriptedLight, client: LightClient, reply: Script) -> None:
    light.will(token(), reply, reply)

    client.accept_plan(UUID, ACCEPTANCE)
    client.finalize(UUID)

    assert len(light.received) == 3


def test_fresh_token_is_reused_for_its_own_account_only(light: ScriptedLight, client: LightClient) -> None:
    light.will(token("one"), answer(200), answer(200), token("two"), answer(200))

    client.finalize(UUID)
    client.finalize(UUID)
    client.finalize("another-account")

    sent = [request.headers["authorization"] for request in light.received]
    assert sent[1:3] == ["Bearer one", "Bearer one"]
    assert sent[4] == "Bearer two"


def test_token_is_stale_five_minutes_before_expiry(light: ScriptedLight, client: LightClient) -> None:
    light.will(token("one", expires_at=NOW + timedelta(minutes=5)), answer(200), token("two"), answer(200))

    client.finalize(UUID)
    client.finalize(UUID)

    assert light.received[3].headers["authorization"] == "Bearer two"


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": "a b"}, {"token": "a\r\nX: y"}, {"token": 5}, [], "t"])
def test_unusable_token_stops_the_write_before_sending(light: ScriptedLight, client: LightClient, body: object) -> None:
    light.will(answer(200, body))

    with pytest.raises(NotReached, match="token"):
        client.accept_plan(UUID, ACCEPTANCE)

    assert len(light.received) == 1


def test_finalize_follows_the_dialect(light: ScriptedLight, make_client: ClientMaker) -> None:
    client = make_client(
        dialect=Dialect(finalize_path="/v1/app/accounts/{account_uuid}/enroll/finalize", finalize_token=TokenKind.APP)
    )
    light.will(answer(200, {}))

    client.finalize(UUID)

    assert light.calls == [f"POST /v1/app/accounts/{UUID}/enroll/finalize"]
    assert light.received[0].headers["authorization"] == "Bearer app-token-of-the-test"


def test_already_finalized_conflict_is_settled_by_reading(light: ScriptedLight, client: LightClient) -> None:
    light.will(token(), answer(409, {"detail": "already finalized"}))

    with pytest.raises(Conflict, match="already finalized"):
        client.finalize(UUID)


def test_location_documents_are_found(light: ScriptedLight, client: LightClient) -> None:
    light.will(token(), answer(200, {"efl": "https://light.dev/efl.pdf", "tos": None, "yrac": "file:///etc/passwd"}))

    documents = client.location_documents(UUID, "location-1")

    assert documents.efl == "https://light.dev/efl.pdf"
    assert documents.tos is None
    assert documents.yrac is None


@pytest.mark.parametrize("identifier", ["", "a/b", "../app", "a?b=c", "a b", "a\n", "é", "x" * 65])
def test_identifier_that_changes_the_path_is_never_sent(
    light: ScriptedLight, client: LightClient, identifier: str
) -> None:
    with pytest.raises(ValueError, match="identifier"):
        client.read_account(identifier)

    assert light.received == []


def test_host_cookies_and_netrc_are_not_used(
    light: ScriptedLight, client: LightClient, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w", encoding="utf-8") as file:  # noqa: PTH123 - netrc reads a plain path
        file.write("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", netrc)
    light.will(answer(200, {"uuid": UUID}, Set_Cookie="session=1"), answer(200, {"uuid": UUID}))

    client.read_account(UUID)
    client.read_account(UUID)

    assert light.received[1].headers["authorization"] == "Bearer app-token-of-the-test"
    assert "cookie" not in light.received[1].headers


def test_client_is_thread_safe(light: ScriptedLight, client: LightClient, exchanges: list[Exchange]) -> None:
    light.will(*[answer(200, {"uuid": UUID})] * 40)

    def read_five_times() -> None:
        for _ in range(5):
            client.read_account(UUID)

    threads = [threading.Thread(target=read_five_times) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    answered = [exchange.status for exchange in exchanges if exchange.status is not None]  # else it was asked again
    assert answered == [200] * 40


@pytest.mark.parametrize(
    "address",
    ["", "api.light.dev", "ftp://api.light.dev", "https://api.light.dev/v1", "https://u:p@api.light.dev", "https://",
     "https://api.light.dev?x=1", "http://[::1", "http://host:port", "http://a b"],
)  # fmt: skip
def test_impossible_light_address_is_refused_at_start(address: str) -> None:
    with pytest.raises(ValueError, match="LIGHT_API_URL"):
        LightClient(base_url=address, app_token="x")


@pytest.mark.parametrize("text", ["", "two words", "line\nbreak", "ünïcode"])
def test_app_token_invalid_in_a_header_is_refused_at_start(text: str) -> None:
    with pytest.raises(ValueError, match="LIGHT_APP_TOKEN"):
        LightClient(base_url="https://api.light.dev/", app_token=text)
