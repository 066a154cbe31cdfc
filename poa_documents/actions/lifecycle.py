"""How an authority ends, is suspended and resumed, or is used."""

from datetime import datetime

from core.actors import SYSTEM, Actor
from core.dates import short_date
from core.errors import InvalidInput
from core.moves import find_move
from core.transactions import repeatable
from poa_documents.actions.drafts import schedule_mail
from poa_documents.actions.seals import lapse_at
from poa_documents.authority_check import SealedFileAltered, check_not_stopped, verify_sealed_file
from poa_documents.journal import chain
from poa_documents.models import MailKind, PoaDocument, RevocationChannel
from poa_documents.moves import lock, take_move
from poa_documents.states import MOVES, PoaStatus


class ImpossibleReceivedTime(InvalidInput):
    """The customer's statement cannot have reached us at that time."""

    field = "received_at"


DAMAGED = "the signed document is missing, was altered, or its seal is not valid."


@repeatable
def decline_poa(*, poa_id: int, by: Actor, at: datetime, reason: str = "") -> PoaDocument:
    """
    Record that the customer declined. They are not asked again until the office drafts a new POA.

    :raises MoveNotAllowed: it is not waiting for the customer
    """
    poa = lock(poa_id)
    poa.ended_at, poa.ended_because, poa.due_at = at, reason, None
    poa.signature_kind, poa.signature_text = "", ""
    take_move(poa, "decline", by=by, at=at, reason=reason)
    schedule_mail(poa, MailKind.DECLINED_RECEIPT, at=at)
    return poa


@repeatable
def revoke_poa(
    *,
    poa_id: int,
    by: Actor,
    at: datetime,
    channel: RevocationChannel | str = RevocationChannel.PORTAL,
    received_at: datetime | None = None,
    reason: str = "",
) -> PoaDocument:
    """
    Revoke the authority, whichever way the customer said so. This takes effect at once, even for queued work.

    `received_at` is when the customer's statement reached us, if it is recorded later. It takes effect at `at`.

    :raises ImpossibleReceivedTime: it cannot have been received then
    :raises MoveNotAllowed: it was never signed, or has ended
    """
    poa = lock(poa_id)
    poa.revocation_received_at = check_received_at(poa, received_at, at=at)
    poa.ended_at, poa.ended_because, poa.due_at = at, reason, None
    poa.revocation_channel = RevocationChannel(channel)
    take_move(poa, "revoke", by=by, at=at, reason=reason, details=_receipt_details(poa))
    schedule_mail(poa, MailKind.REVOKED_RECEIPT, at=at)
    return poa


def check_received_at(poa: PoaDocument, received_at: datetime | None, *, at: datetime) -> datetime:
    """
    Return when the customer's statement reached us, which is now unless given.

    :raises ImpossibleReceivedTime: in the future, or before the document existed
    """
    if received_at is None:
        return at
    check_not_ahead(received_at, at=at)
    if received_at < poa.created_at:
        raise ImpossibleReceivedTime(
            f"The document was drafted on {short_date(poa.created_at)}, so this cannot be earlier."
        )
    return received_at


def check_not_ahead(received_at: datetime, *, at: datetime) -> None:
    """:raises ImpossibleReceivedTime: in the future"""
    if received_at > at:
        raise ImpossibleReceivedTime("That time is in the future. Enter when it reached us.")


def _receipt_details(poa: PoaDocument) -> dict[str, object]:
    return {"channel": poa.revocation_channel, "received_at": poa.revocation_received_at}


@repeatable
def suspend_poa(*, poa_id: int, reason: str, by: Actor, at: datetime) -> PoaDocument:
    """
    Stop everything under this POA until a person resolves the reason, such as a damaged file or a reported death.

    :raises MoveNotAllowed: it is not in force
    """
    poa = lock(poa_id)
    poa.suspended_because = reason
    take_move(poa, "suspend", by=by, at=at, reason=reason)
    return poa


def resume_poa(*, poa_id: int, reason: str, by: Actor, at: datetime) -> PoaDocument:
    """
    Resume a suspended POA after verifying its stored file.

    :raises CustomerStopped: a report of death or incapacity is open
    :raises SealedFileAltered: the file is still missing or altered
    :raises SealedFileUnreadable: the storage does not answer
    :raises MoveNotAllowed: it is not suspended
    """
    suspended = PoaDocument.objects.get(pk=poa_id)
    check_not_stopped(suspended.customer_id)
    find_move(MOVES, "resume", subject="This power of attorney", status=suspended.status)
    verify_or_suspend(poa_id=poa_id, at=at, by=by)

    @repeatable
    def resume() -> PoaDocument:
        poa = lock(poa_id)
        check_not_stopped(poa.customer_id)  # again, because verifying the file takes a while
        poa.suspended_because = ""
        poa.due_at = lapse_at(poa)
        take_move(poa, "resume", by=by, at=at, reason=reason)
        return poa

    return resume()


def verify_or_suspend(*, poa_id: int, at: datetime, by: Actor = SYSTEM) -> None:
    """
    Verify the stored file before relying on it. A damaged one suspends the authority at once.

    :raises SealedFileAltered: after suspending a POA that was in force
    :raises SealedFileUnreadable: the storage does not answer; nothing is changed
    """
    poa = PoaDocument.objects.get(pk=poa_id)
    try:
        verify_sealed_file(poa)
    except SealedFileAltered as problem:
        _record_damage(poa_id, problem=str(problem), by=by, at=at)
        raise
    if poa.file_damaged_at is not None:
        _record_repair(poa_id, by=by, at=at)


@repeatable
def _record_damage(poa_id: int, *, problem: str, by: Actor, at: datetime) -> None:
    """Suspend a POA that was in force, and record the damage once."""
    poa = lock(poa_id)
    if poa.status == PoaStatus.SIGNED:
        poa = suspend_poa(poa_id=poa_id, reason=DAMAGED, by=by, at=at)
    elif poa.file_damaged_at is not None:
        return
    poa.file_damaged_at = poa.file_damaged_at or at
    poa.save(update_fields=["file_damaged_at"])
    chain.record(poa, kind="file_damaged", by=by, at=at, details={"problem": problem})


@repeatable
def _record_repair(poa_id: int, *, by: Actor, at: datetime) -> None:
    poa = lock(poa_id)
    if poa.file_damaged_at is None:
        return
    poa.file_damaged_at = None
    poa.save(update_fields=["file_damaged_at"])
    chain.record(poa, kind="file_restored", by=by, at=at)


def use_authority(poa: PoaDocument, *, by: Actor, at: datetime) -> None:
    """
    Count one acceptance made under this locked POA, in the transaction that records it. The last use exhausts it.

    The acceptance has happened, so it is counted even if the authority has ended since.
    """
    poa.uses_made += 1
    details = {"uses_made": poa.uses_made, "uses": poa.envelope.uses}
    if poa.uses_made >= poa.envelope.uses and poa.status in {PoaStatus.SIGNED, PoaStatus.SUSPENDED}:
        poa.due_at = None
        poa.ended_at, poa.ended_because = at, "All uses that it allows have been made."
        take_move(poa, "exhaust", by=by, at=at, details=details)
    else:
        poa.save(update_fields=["uses_made"])
        chain.record(poa, kind="use", by=by, at=at, details=details, is_locked=True)


@repeatable
def expire_poa(*, poa_id: int, at: datetime) -> bool:
    """Expire an invitation whose link has expired. False if there is nothing to expire yet."""
    poa = lock(poa_id)
    if poa.status != PoaStatus.SENT or poa.due_at is None or poa.due_at > at:
        return False
    if poa.token_expires_at is not None and poa.token_expires_at > at:
        poa.due_at = poa.token_expires_at
        poa.save(update_fields=["due_at"])
        return False
    poa.ended_at, poa.ended_because, poa.due_at = at, "The customer did not sign while the invitation was valid.", None
    take_move(poa, "expire", by=SYSTEM, at=at)
    return True


@repeatable
def lapse_poa(*, poa_id: int, at: datetime) -> bool:
    """End an authority whose sunset date has passed. False if it has not."""
    poa = lock(poa_id)
    if poa.status not in {PoaStatus.SIGNED, PoaStatus.SUSPENDED} or at < lapse_at(poa):
        return False
    poa.ended_at, poa.ended_because, poa.due_at = at, "Its sunset date passed.", None
    take_move(poa, "lapse", by=SYSTEM, at=at)
    return True
