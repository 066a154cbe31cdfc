"""
Whether a POA lets us act right now.

Each refusal is a separate exception that tells staff what is wrong and what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from django.db.models import Exists, QuerySet, Subquery

from core.dates import chicago_day, short_date
from core.errors import Conflict
from core.stored_files import FileAltered, StoredFile, read
from installations.models import Installation
from installations.states import InstallationStatus
from poa_documents.authority import Authority, ObstacleKind, Use, find_obstacle
from poa_documents.models import EvidenceEntry, PoaDocument, SealTimestamp, StopKind, StopSignal
from poa_documents.seal.values import SealBroken, Timestamp
from poa_documents.signer_doubts import open_doubts, why_not_proved
from poa_documents.states import PoaStatus

# The journal entries that say which file was stored and how it was sealed.
SEALED = "seal"
STORED_AFTER_END = "stored_after_end"
FILE_TIMESTAMPED = "file_timestamped"


class AuthorityMissing(Conflict):
    """
    The POA gives no authority for this call now.

    `is_consent_failure` is true if the customer's consent is missing or withdrawn. No one can override that.
    """

    is_consent_failure: ClassVar[bool] = True

    def __init__(self, for_staff: str) -> None:
        super().__init__(for_staff)
        self.for_staff = for_staff


class AuthorityNotSigned(AuthorityMissing):
    """The customer has not signed, or declined, or the signed file is not stored yet."""


class AuthorityRevoked(AuthorityMissing):
    """The customer revoked it."""


class AuthoritySuspended(AuthorityMissing):
    """It is suspended, for example while a stop signal is investigated."""


class AuthorityEnded(AuthorityMissing):
    """It lapsed, or a newer one replaced it."""


class CustomerStopped(AuthorityMissing):
    """The customer was reported dead or unable to decide."""


class AuthorityUsedUp(AuthorityMissing):
    """Every acceptance that it allows has been made."""


class SignerNotProved(AuthorityMissing):
    """Something suggests that someone else signed, and the customer has not proved yet that they did."""


class AuthorityForOtherMeter(AuthorityMissing):
    """It is for a different ESI ID."""


class AuthorityNotSealed(AuthorityMissing):
    """No sealed file with a hash proves it."""


class EmbargoRunning(AuthorityMissing):
    """The buyer can still cancel the hardware sale. This ends automatically after `until`."""

    is_consent_failure = False

    def __init__(self, for_staff: str, until: date) -> None:
        super().__init__(for_staff)
        self.until = until


class SealedFileAltered(AuthorityMissing):
    """The stored file is missing, does not have the signed bytes, or its seal is not valid."""


class SealedFileUnreadable(AuthorityMissing):
    """The storage does not answer. Nothing may be done until it does, but nothing is known to be wrong."""

    is_consent_failure = False


_REFUSAL_FOR: dict[ObstacleKind, type[AuthorityMissing]] = {
    ObstacleKind.CUSTOMER_STOPPED: CustomerStopped,
    ObstacleKind.SIGNER_IN_QUESTION: SignerNotProved,
    ObstacleKind.NOT_SENT: AuthorityNotSigned,
    ObstacleKind.PAPER_WANTED: AuthorityNotSigned,
    ObstacleKind.LINK_DEAD: AuthorityNotSigned,
    ObstacleKind.NOT_SIGNED: AuthorityNotSigned,
    ObstacleKind.BEING_STORED: AuthorityNotSigned,
    ObstacleKind.DECLINED: AuthorityNotSigned,
    ObstacleKind.NOT_OPEN: AuthorityNotSigned,
    ObstacleKind.REVOKED: AuthorityRevoked,
    ObstacleKind.SUSPENDED: AuthoritySuspended,
    ObstacleKind.ENDED: AuthorityEnded,
    ObstacleKind.USED_UP: AuthorityUsedUp,
    ObstacleKind.NOT_SEALED: AuthorityNotSealed,
    ObstacleKind.OTHER_METER: AuthorityForOtherMeter,
}


def check_authority(poa: PoaDocument, *, esi_id: str, at: datetime, concluding: bool = False) -> None:
    """
    Check that the POA lets us make a remote write for this meter now.

    Uses the POA's row as given, so pass a fresh or locked one. `concluding` is as in `authority.Use`.

    :raises AuthorityMissing: one of its subclasses, with the reason for staff
    """
    found = find_obstructions(poa)
    authority, embargo_end = _current_authority(poa, found, concluding=concluding), found.embargo_end
    for meter in {esi_id, poa.site.esi_id}:  # the site's may have been corrected since the customer signed
        use = Use(poa.envelope.esi_id, meter, chicago_day(at), embargo_end, concluding=concluding)
        obstacle = find_obstacle(authority, use)
        if obstacle is not None and obstacle.until is not None:
            raise EmbargoRunning(obstacle.text, until=obstacle.until)
        if obstacle is not None:
            raise _REFUSAL_FOR[obstacle.kind](obstacle.text)


@dataclass(frozen=True)
class Obstructions:
    """What may keep us from acting besides the POA's own row. `embargo_end`: the last day to cancel a hardware sale."""

    is_stopped: bool
    has_signer_doubt: bool
    embargo_end: date | None


def find_obstructions(poa: PoaDocument) -> Obstructions:
    """Look for all of them in one query, because this runs twice for each write to Light."""
    embargoes = Installation.objects.filter(
        site_id=poa.site_id, customer_id=poa.customer_id, embargo_end_date__isnull=False
    ).exclude(status=InstallationStatus.CANCELLED)
    found = PoaDocument.objects.filter(pk=poa.pk).values_list(
        Exists(_open_stops(poa.customer_id)),
        Exists(open_doubts(poa.pk)),
        Subquery(embargoes.order_by("-embargo_end_date").values("embargo_end_date")[:1]),
    )
    return Obstructions(*found.get())


def _current_authority(poa: PoaDocument, found: Obstructions, *, concluding: bool) -> Authority:
    return Authority(
        status=PoaStatus(poa.status),
        signed_at=poa.signed_at,
        is_sealed=is_sealed(poa),
        sunset=poa.envelope.sunset_date,
        uses_left=poa.envelope.uses - poa.uses_made,
        ended_because=poa.ended_because,
        suspended_because=poa.suspended_because,
        stopped_because=why_stopped(poa.customer_id) if found.is_stopped else "",
        signer_in_question=why_not_proved(poa) if found.has_signer_doubt and not concluding else "",
    )


def is_sealed(poa: PoaDocument) -> bool:
    """Whether a stored file with a hash proves the signature."""
    return bool(poa.sealed_at and poa.pdf_sha256 and poa.pdf_storage_key and poa.pdf_size_bytes)


def check_not_stopped(customer_id: int) -> None:
    """:raises CustomerStopped: a report of death or incapacity is open"""
    if why := why_stopped(customer_id):
        raise CustomerStopped(why)


def why_stopped(customer_id: int) -> str:
    """Return why nothing may be done in a customer's name, or an empty string."""
    stop = _open_stops(customer_id).first()
    if stop is None:
        return ""
    what = "died" if stop.kind == StopKind.DECEASED else "can no longer decide"
    return (
        f"It was reported on {short_date(stop.received_at)} that the customer {what}. Nothing may be done in their "
        "name. Find out whether it is true, then end the stop signal with your decision."
    )


def _open_stops(customer_id: int) -> QuerySet[StopSignal]:
    return StopSignal.objects.filter(customer_id=customer_id, ended_at__isnull=True)


def verify_sealed_file(poa: PoaDocument) -> None:
    """
    Read the stored file, compare it with row and journal, and check its seal. Call it without an open transaction.

    :raises SealedFileAltered: missing, different bytes, or an invalid seal; suspend the POA
    :raises SealedFileUnreadable: the storage did not answer; try again later
    """
    content = read_signed_pdf(poa)
    try:
        _check_seal(poa, content)
    except SealBroken as problem:
        raise SealedFileAltered(
            f"The signed document of {poa} is not valid: {problem} Nothing may be done under it. Find out what "
            "happened, then restore the file and resume the POA, or have the customer sign a new one."
        ) from problem


def _check_seal(poa: PoaDocument, content: bytes) -> None:
    """
    Check the seal against the journal, which is decisive because a row is easily changed.

    A document from before seals were introduced has none in its journal and is verified by its hash alone.

    :raises SealBroken: row, journal and file do not match, or the seal is not valid
    """
    from poa_documents.seal import pades  # slow to import

    entries = list(poa.evidence.filter(kind__in=[SEALED, STORED_AFTER_END, FILE_TIMESTAMPED]).order_by("number"))
    sealing = next((entry for entry in reversed(entries) if entry.kind != FILE_TIMESTAMPED), None)
    if sealing is None and not poa.seal_certificate_sha256:  # revoked while it was stored, before seals were introduced
        return
    said: dict[str, str] = sealing.details if sealing else {}
    if said.get("pdf_sha256") != poa.pdf_sha256:
        raise SealBroken("its hash is not the one in the journal.")
    certificate = said.get("seal_certificate_sha256", "")
    if certificate != poa.seal_certificate_sha256:
        raise SealBroken("its certificate is not the one in the journal.")
    if not certificate:
        return
    pades.check(content, certificate_sha256=certificate, authority_sha256=said.get("timestamp_authority_sha256", ""))
    _check_later_timestamp(poa, entries)


def _check_later_timestamp(poa: PoaDocument, entries: Sequence[EvidenceEntry]) -> None:
    """:raises SealBroken: the time stamp beside the file is missing or not valid"""
    from poa_documents.seal import pades  # slow to import

    stamping = next((entry for entry in entries if entry.kind == FILE_TIMESTAMPED), None)
    if stamping is None:
        return
    row = SealTimestamp.objects.filter(poa=poa).first()
    if row is None:
        raise SealBroken("its time stamp is missing.")
    timestamp = Timestamp(bytes(row.token), row.stamped_at, stamping.details["authority"])
    pades.check_timestamp(timestamp, bytes.fromhex(poa.pdf_sha256))


def read_signed_pdf(poa: PoaDocument) -> bytes:
    """
    Return the bytes of the sealed file, verified against the stored hash. Call it without an open transaction.

    :raises AuthorityNotSealed: there is none yet
    :raises SealedFileAltered: missing, or different bytes
    :raises SealedFileUnreadable: the storage did not answer
    """
    if not (poa.pdf_storage_key and poa.pdf_sha256 and poa.pdf_size_bytes):
        raise AuthorityNotSealed("The signed document is not stored yet.")
    file = StoredFile(key=poa.pdf_storage_key, sha256=poa.pdf_sha256, size_bytes=poa.pdf_size_bytes)
    try:
        return read(file)
    except FileAltered as problem:
        raise SealedFileAltered(
            f"The signed document of {poa} is damaged: {problem} Nothing may be done under it. Restore the file "
            "from a backup, then resume the POA."
        ) from problem
    except Exception as problem:
        raise SealedFileUnreadable(
            f"The file storage does not answer ({type(problem).__name__}). Nothing is done under {poa} until it does."
        ) from problem
