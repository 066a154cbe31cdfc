from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollments.light.webhook_events import KnownEvent, MalformedEvent, parse_event

KEYS = ("uuid", "id", "event", "event_type", "type", "name", "account", "account_uuid", "data", "location")


@given(body=st.binary())
def test_arbitrary_bytes_are_read_or_malformed(body: bytes) -> None:
    try:
        parse_event(body)
    except MalformedEvent as refusal:
        assert str(refusal)  # noqa: PT017 - either outcome is right, any other exception is not


@given(
    source=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
    )
)
def test_arbitrary_json_is_read_or_malformed(source: object) -> None:
    body = json.dumps(source).encode()

    if isinstance(source, dict):
        assert parse_event(body).name is None or isinstance(parse_event(body).name, str)
    else:
        with pytest.raises(MalformedEvent):
            parse_event(body)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_non_object_body_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        parse_event(body)


@pytest.mark.parametrize(
    ("source", "account_uuid", "location_uuid"),
    [
        ({"account_uuid": "a", "location_uuid": "l"}, "a", "l"),
        ({"account": {"uuid": "a"}, "location": {"uuid": "l"}}, "a", "l"),
        ({"data": {"account_uuid": "a", "location_uuid": "l"}}, "a", "l"),
        ({"data": {"account": {"uuid": "a"}, "location": {"uuid": "l"}}}, "a", "l"),
        ({"event": "account.payment_failed", "data": {"uuid": "a"}}, "a", None),
        ({"event": "location.service_active", "data": {"uuid": "l"}}, None, "l"),
        ({"event": "enrollment.finalized", "data": {"uuid": "x"}}, None, None),
        ({"account": "a", "account_uuid": 7, "data": []}, "7", None),
    ],
)
def test_account_and_location_are_found_in_every_published_shape(
    source: dict[str, object], account_uuid: str | None, location_uuid: str | None
) -> None:
    event = parse_event(json.dumps(source).encode())

    assert (event.account_uuid, event.location_uuid) == (account_uuid, location_uuid)


@pytest.mark.parametrize("key", ["event", "event_type", "type", "name"])
@pytest.mark.parametrize("known", KnownEvent)
def test_known_event_is_recognized_under_every_key(key: str, known: KnownEvent) -> None:
    event = parse_event(json.dumps({"id": "e1", key: known.value}).encode())

    assert (event.event_id, event.known) == ("e1", known)


def test_unknown_event_keeps_its_name() -> None:
    event = parse_event(b'{"event": "meter.exploded"}')

    assert (event.name, event.known, event.event_id) == ("meter.exploded", None, None)


def test_there_are_twelve_published_events() -> None:
    assert len(KnownEvent) == 12
