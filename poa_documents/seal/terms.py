"""What making and checking a seal speak of. Quick to import, unlike `pades`, which does the work."""

from dataclasses import dataclass
from datetime import datetime


class SealBroken(Exception):
    """The file carries no seal, or one that does not hold for all of it."""


class TimestampNotGiven(Exception):
    """The time-stamping authority did not answer, or its answer does not hold. A seal counts without it."""


class NoAnswer(Exception):
    """An issuer did not say whether a certificate was revoked, or what it says does not hold. A seal counts without."""


class CertificateRevoked(Exception):
    """The issuer says that the certificate, or one above it, no longer counts."""

    def __init__(self, said: str, revoked_at: datetime) -> None:
        super().__init__(said)
        self.revoked_at = revoked_at


@dataclass(frozen=True)
class Answers:
    """What issuers said about a certificate (OCSP and CRL, as a RevocationInfoArchival in DER), and when it counts."""

    archive: bytes
    counts_from: datetime
    counts_until: datetime


@dataclass(frozen=True)
class Timestamp:
    """A third party's word for when something existed (RFC 3161)."""

    token: bytes
    at: datetime
    authority_sha256: str


@dataclass(frozen=True)
class TimestampAuthority:
    """Where time stamps come from; with `roots` (DER), only those count that lead up to one of these certificates."""

    url: str
    roots: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Words:
    """What a PDF program shows about the seal, in the language of the document."""

    field: str
    reason: str
    sealed_by: str
