from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollments.light.webhook_signatures import (
    Algorithm,
    Encoding,
    Prefix,
    SignatureMissing,
    SignatureRefused,
    SignatureTooOld,
    SignatureWrong,
    SignedText,
    WebhookScheme,
    verify,
)

NOW = datetime(2026, 5, 4, 16, 20, tzinfo=UTC)
RIGHT_SECRET = "right"
BODY = b'{"event": "enrollment.finalized"}'
SCHEMES = [
    WebhookScheme(algorithm=algorithm, encoding=encoding, prefix=prefix, signed_text=signed_text)
    for algorithm, encoding, prefix, signed_text in product(Algorithm, Encoding, Prefix, SignedText)
]


def signed(scheme: WebhookScheme, *, secret: str = RIGHT_SECRET, at: datetime = NOW) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    text = BODY if scheme.signed_text is SignedText.BODY else timestamp.encode() + b"." + BODY
    digest = hmac.digest(secret.encode(), text, scheme.algorithm.value)
    value = digest.hex() if scheme.encoding is Encoding.HEX else base64.b64encode(digest).decode()
    if scheme.prefix is Prefix.ALGORITHM:
        value = f"{scheme.algorithm.value}={value}"
    if scheme.prefix is Prefix.LIST:
        value = f"t={timestamp},v1={value}"
    return {scheme.header: value, scheme.timestamp_header: timestamp}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_right_signature_passes_in_every_scheme(scheme: WebhookScheme) -> None:
    headers = {name.lower(): value for name, value in signed(scheme).items()}

    verify(scheme=scheme, secrets=["right"], headers=headers, body=BODY, now=NOW)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_changed_body_or_secret_is_refused_in_every_scheme(scheme: WebhookScheme) -> None:
    headers = signed(scheme)

    with pytest.raises(SignatureWrong):
        verify(scheme=scheme, secrets=["right"], headers=headers, body=BODY + b" ", now=NOW)
    with pytest.raises(SignatureWrong):
        verify(scheme=scheme, secrets=["wrong"], headers=headers, body=BODY, now=NOW)


def test_two_secrets_are_valid_together() -> None:
    for secret in ("old", "new"):
        headers = signed(WebhookScheme(), secret=secret)

        verify(scheme=WebhookScheme(), secrets=["new", "old"], headers=headers, body=BODY, now=NOW)


@pytest.mark.parametrize("seconds", [-301, 301])
@pytest.mark.parametrize("prefix", Prefix)
def test_signature_far_from_now_is_too_old(prefix: Prefix, seconds: int) -> None:
    scheme = WebhookScheme(prefix=prefix, signed_text=SignedText.TIMESTAMP_AND_BODY)
    headers = signed(scheme, at=NOW + timedelta(seconds=seconds))

    with pytest.raises(SignatureTooOld):
        verify(scheme=scheme, secrets=["right"], headers=headers, body=BODY, now=NOW)


@pytest.mark.parametrize("headers", [{}, {"X-Light-Signature": ""}, {"X-Other": "x"}])
def test_absent_signature_is_missing(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureMissing):
        verify(scheme=WebhookScheme(), secrets=["right"], headers=headers, body=BODY, now=NOW)


def test_absent_timestamp_is_missing() -> None:
    scheme = WebhookScheme(signed_text=SignedText.TIMESTAMP_AND_BODY)
    headers = signed(scheme)
    del headers[scheme.timestamp_header]

    with pytest.raises(SignatureMissing):
        verify(scheme=scheme, secrets=["right"], headers=headers, body=BODY, now=NOW)


hostile = st.text() | st.integers() | st.none() | st.lists(st.text()) | st.binary() | st.just("a" * 100_000)


@given(scheme=st.sampled_from(SCHEMES), signature=hostile, timestamp=hostile)
def test_hostile_headers_are_refused_by_name(scheme: WebhookScheme, signature: Any, timestamp: Any) -> None:
    headers = {scheme.header: signature, scheme.timestamp_header: timestamp}

    with pytest.raises(SignatureRefused):
        verify(scheme=scheme, secrets=["right"], headers=headers, body=BODY, now=NOW)


@pytest.mark.parametrize("secrets", [[], [""], ["right", ""]])
def test_empty_secret_never_proves_anything(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="LIGHT_WEBHOOK_SECRET"):
        verify(scheme=WebhookScheme(), secrets=secrets, headers={}, body=BODY, now=NOW)
