"""Values and exceptions of the seal. Quick to import, unlike `pades`."""

from dataclasses import dataclass
from datetime import datetime


class SealBroken(Exception):
    """The file has no seal, or one that is not valid for all of it."""


class TimestampUnavailable(Exception):
    """The time-stamping authority did not answer, or its answer is invalid. A seal is valid without it."""


class NoAnswer(Exception):
    """An issuer gave no valid answer about a certificate. A seal is valid without it."""


class CertificateRevoked(Exception):
    """The issuer says that the certificate, or one above it, is revoked."""

    def __init__(self, said: str, revoked_at: datetime) -> None:
        super().__init__(said)
        self.revoked_at = revoked_at


@dataclass(frozen=True)
class Answers:
    """The issuers' answers about a certificate (OCSP and CRL, as RevocationInfoArchival in DER), with validity."""

    archive: bytes
    counts_from: datetime
    counts_until: datetime


@dataclass(frozen=True)
class Timestamp:
    """A third party's time stamp (RFC 3161)."""

    token: bytes
    at: datetime
    authority_sha256: str


@dataclass(frozen=True)
class TimestampAuthority:
    """Where time stamps come from. With `roots` (DER), they must chain up to one of these certificates."""

    url: str
    roots: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Words:
    """What a PDF program shows about the seal, in the language of the document."""

    field: str
    reason: str
    sealed_by: str
