"""Check that a webhook was signed with our secret, by the one configured scheme."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

_MAX_HEADER_LENGTH = 4096
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+", re.ASCII)


class Algorithm(Enum):
    """The hash inside the HMAC."""

    SHA256 = "sha256"
    SHA512 = "sha512"


class Encoding(Enum):
    """How the signature's bytes are written down."""

    HEX = "hex"
    BASE64 = "base64"


class Prefix(Enum):
    """What stands around the signature: nothing, `sha256=`, or a list such as `t=1700000000,v1=...`."""

    NONE = "none"
    ALGORITHM = "algorithm"
    LIST = "list"


class SignedText(Enum):
    """What was signed: the raw body, or the timestamp, a dot and the raw body."""

    BODY = "body"
    TIMESTAMP_AND_BODY = "timestamp.body"


class SignatureRefused(Exception):
    """The webhook does not prove that Light sent it."""


class SignatureMissing(SignatureRefused):
    """A header that the configured scheme needs is not there."""


class SignatureWrong(SignatureRefused):
    """The signature does not belong to this body and any of our secrets."""


class SignatureTooOld(SignatureRefused):
    """Rightly signed, but at a time too far from now: a replay, or a clock that is wrong."""


@dataclass(frozen=True, kw_only=True)
class WebhookScheme:
    """
    The one way in which webhooks are expected to be signed.

    Source: light-api notes, section 6.2: none of this is public, so each part is a setting.
    """

    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = Encoding.HEX
    prefix: Prefix = Prefix.NONE
    signed_text: SignedText = SignedText.BODY
    header: str = "X-Light-Signature"
    timestamp_header: str = "X-Light-Timestamp"
    tolerance_seconds: int = 300


def verify(
    *, scheme: WebhookScheme, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> None:
    """
    Check the signature over the raw bytes; return quietly when one of the secrets made it.

    Two secrets are valid side by side while one replaces the other. Header names are compared without regard to case.

    :raises SignatureMissing: the signature, or the timestamp that the scheme signs, is absent
    :raises SignatureWrong: no secret fits
    :raises SignatureTooOld: signed with our secret, more than the tolerance away from `now`
    :raises ValueError: no secret is configured; the endpoint should not have been open
    """
    if not secrets or not all(secrets):
        raise ValueError("Set LIGHT_WEBHOOK_SECRET before receiving webhooks: no secret, no proof.")

    timestamp, candidates = _read_headers(scheme, headers)
    signed = body if scheme.signed_text is SignedText.BODY else timestamp.encode("ascii") + b"." + body
    given = [signature for text in candidates if (signature := _decode(scheme.encoding, text)) is not None]
    expected = [hmac.digest(secret.encode(), signed, scheme.algorithm.value) for secret in secrets]
    fits = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    if not any(fits):
        raise SignatureWrong("The webhook's signature fits none of our secrets.")

    if scheme.signed_text is SignedText.TIMESTAMP_AND_BODY:
        distance_seconds = abs(now.timestamp() - int(timestamp))
        if distance_seconds > scheme.tolerance_seconds:
            raise SignatureTooOld(
                f"The webhook was signed {distance_seconds:.0f} seconds from now; "
                f"{scheme.tolerance_seconds} are allowed."
            )


def _read_headers(scheme: WebhookScheme, headers: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the timestamp (empty when none is signed) and the signatures that were sent."""
    value = _header(headers, scheme.header)
    needs_timestamp = scheme.signed_text is SignedText.TIMESTAMP_AND_BODY
    if scheme.prefix is Prefix.LIST:
        pairs = [part.strip().partition("=") for part in value.split(",")]
        candidates = [text for name, _, text in pairs if name == "v1"]
        timestamps = [text for name, _, text in pairs if name == "t"]
        if not candidates or (needs_timestamp and not timestamps):
            raise SignatureMissing(f"The header {scheme.header} does not carry t=... and v1=....")
        timestamp = timestamps[0] if needs_timestamp else ""
    else:
        start = f"{scheme.algorithm.value}=" if scheme.prefix is Prefix.ALGORITHM else ""
        if not value.startswith(start):
            raise SignatureWrong(f"The header {scheme.header} does not begin with {start}")
        candidates = [value.removeprefix(start)]
        timestamp = _header(headers, scheme.timestamp_header) if needs_timestamp else ""
    if needs_timestamp and not _UNIX_SECONDS.fullmatch(timestamp):
        raise SignatureWrong("The webhook's timestamp is not a number of seconds.")
    return timestamp, candidates


def _header(headers: Mapping[str, str], name: str) -> str:
    # Typed as text, yet frameworks differ: what is not a short text is treated as a wrong signature, never trusted.
    found: list[object] = [value for key, value in headers.items() if str(key).lower() == name.lower()]
    if not found or found[0] == "":
        raise SignatureMissing(f"The webhook has no header {name}.")
    value = found[0]
    if len(found) > 1 or not isinstance(value, str) or len(value) > _MAX_HEADER_LENGTH:
        raise SignatureWrong(f"The webhook's header {name} is not one short text.")
    return value.strip()


def _decode(encoding: Encoding, text: str) -> bytes | None:
    if encoding is Encoding.HEX:
        return bytes.fromhex(text) if _HEX.fullmatch(text) else None
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
