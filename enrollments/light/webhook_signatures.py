"""Check that a webhook was signed with our secret under the configured scheme."""

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
    """How the signature is encoded as text."""

    HEX = "hex"
    BASE64 = "base64"


class Prefix(Enum):
    """The format around the signature: nothing, `sha256=`, or a list such as `t=1700000000,v1=...`."""

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
    """A header that the configured scheme needs is missing."""


class SignatureWrong(SignatureRefused):
    """The signature does not match this body and any of our secrets."""


class SignatureTooOld(SignatureRefused):
    """Correctly signed, but too long ago or in the future: a replay, or a wrong clock."""


@dataclass(frozen=True, kw_only=True)
class WebhookScheme:
    """
    How webhooks are expected to be signed. Light does not document it, so each part is a setting.

    Source: light-api notes, section 6.2.
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
    Check the signature over the raw bytes. Header names are case-insensitive.

    Two secrets are valid at the same time during a rotation.

    :raises SignatureMissing: the signature, or the timestamp that the scheme signs, is missing
    :raises SignatureWrong: no secret matches
    :raises SignatureTooOld: signed with our secret, but outside the tolerance around `now`
    :raises ValueError: no secret is configured; the endpoint should be disabled
    """
    if not secrets or not all(secrets):
        raise ValueError("Set LIGHT_WEBHOOK_SECRET before receiving webhooks; they cannot be verified without it.")

    timestamp, candidates = _read_headers(scheme, headers)
    signed = body if scheme.signed_text is SignedText.BODY else timestamp.encode("ascii") + b"." + body
    given = [signature for text in candidates if (signature := _decode(scheme.encoding, text)) is not None]
    expected = [hmac.digest(secret.encode(), signed, scheme.algorithm.value) for secret in secrets]
    fits = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    if not any(fits):
        raise SignatureWrong("The webhook's signature matches none of our secrets.")

    if scheme.signed_text is SignedText.TIMESTAMP_AND_BODY:
        distance_seconds = abs(now.timestamp() - int(timestamp))
        if distance_seconds > scheme.tolerance_seconds:
            raise SignatureTooOld(
                f"The webhook's timestamp is {distance_seconds:.0f} seconds off; "
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
    # Frameworks differ in what they return. Anything but one short string counts as a wrong signature.
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
