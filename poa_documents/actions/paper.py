"""
Signing on paper: the document is printed, signed by hand, scanned by one person and confirmed by another.

The authority counts only after the second person confirmed it. It is then sealed like any other, with the scan as
proof.
"""

from datetime import date, datetime

from django.db import transaction

from core.actors import Actor, is_same_person
from core.dates import chicago_day, short_date
from core.errors import Conflict, Forbidden, InvalidInput
from core.moves import MoveNotAllowed
from core.queue import TaskName, enqueue_on_commit
from core.stored_files import StoredFile, read, store
from installations.proofs import SUFFIXES, CheckedProof
from poa_documents.actions.signing_steps import WordingChanged
from poa_documents.document_text import text_of
from poa_documents.journal import chain
from poa_documents.limits import check_limits
from poa_documents.links import signed_link_expiry
from poa_documents.models import ConsentRecord, PaperSignature, PoaDocument, SignatureKind
from poa_documents.moves import lock, take_move
from poa_documents.pdf.paper import PAPER_STATEMENTS, render_for_paper
from poa_documents.states import MOVES

FOLDER = "paper"
ON_PAPER = "on paper"


class NotPrinted(Conflict):
    """The current wording was never printed, so it cannot be what the customer signed."""

    def __init__(self) -> None:
        super().__init__("Print the document first. The customer must sign its current wording.")


class PaperAlreadyRecorded(Conflict):
    """A scan is on file already and waits for the second person."""

    def __init__(self) -> None:
        super().__init__("A scan is already on file. A second person must confirm or reject it first.")


class NoPaperWaiting(Conflict):
    """There is no scan to confirm or reject."""

    def __init__(self) -> None:
        super().__init__("No scan is waiting for a second person. Record one first.")


class SamePersonTwice(Forbidden):
    """The person who recorded the scan cannot confirm it."""

    def __init__(self) -> None:
        super().__init__("You recorded this scan yourself. Someone else must compare and confirm it.")


class ImpossibleSignedDate(InvalidInput):
    """The date next to the signature is not possible."""

    field = "signed_date"


@transaction.atomic
def print_for_paper(*, poa_id: int, by: Actor, at: datetime) -> bytes:
    """
    Return the document as a file to print and sign by hand, and record that this wording was printed.

    :raises LimitMissing: a limit has no value
    :raises MoveNotAllowed: it was signed or has ended
    """
    poa = _lock_unsigned(poa_id, wish="print for a signature by hand")
    check_limits(poa.envelope)
    text = text_of(poa)
    content = render_for_paper(poa)
    chain.record(
        poa,
        kind="printed",
        by=by,
        at=at,
        details={"document_sha256": text.sha256, "wording_version": text.version, "language": text.language},
    )
    return content


def record_paper(*, poa_id: int, scan: CheckedProof, signed_date: date, by: Actor, at: datetime) -> PaperSignature:
    """
    Store the scan of a document that was signed by hand. It is no authority until someone else confirms it.

    :raises NotPrinted: the current wording was never printed
    :raises PaperAlreadyRecorded: a scan is on file
    :raises ImpossibleSignedDate: the date is in the future, or before the document was drafted
    :raises FileNotStored: the storage refused; nothing is recorded
    :raises MoveNotAllowed: it was signed or has ended
    """
    _check_recordable(PoaDocument.objects.get(pk=poa_id), signed_date=signed_date, at=at)
    suffix = SUFFIXES[scan.content_type]
    received = store(scan.received, folder=FOLDER, suffix=suffix)
    file = store(scan.content, folder=FOLDER, suffix=suffix) if scan.is_reencoded else received
    with transaction.atomic():
        poa = _lock_unsigned(poa_id, wish="record a signature by hand")
        _check_recordable(poa, signed_date=signed_date, at=at)
        text = text_of(poa)
        paper = PaperSignature.objects.create(
            poa=poa,
            signed_date=signed_date,
            document_sha256=text.sha256,
            scan_storage_key=file.key,
            scan_sha256=file.sha256,
            scan_size_bytes=file.size_bytes,
            scan_content_type=scan.content_type,
            received_storage_key=received.key,
            received_sha256=received.sha256,
            received_size_bytes=received.size_bytes,
            recorded_by=str(by),
            recorded_at=at,
        )
        details = {
            "paper": paper.public_id,
            "scan_sha256": file.sha256,
            "received_sha256": received.sha256,
            "signed_date": signed_date,
        }
        chain.record(poa, kind="paper_recorded", by=by, at=at, details=details)
    return paper


def confirm_paper(*, poa_id: int, by: Actor, at: datetime) -> PoaDocument:
    """
    Confirm, as the second person, that the scan shows this document, all boxes checked, signed by this customer.

    Only then does it become an authority. The file is created and sealed as for any other signature.

    :raises NoPaperWaiting: no scan is on file
    :raises SamePersonTwice: the same person recorded it
    :raises WordingChanged: the wording has changed, so it must be printed, signed and scanned again
    :raises FileAltered: the stored scan is damaged
    :raises MoveNotAllowed: it was signed or has ended
    """
    read(scan_file(waiting_paper(PoaDocument.objects.get(pk=poa_id))))
    with transaction.atomic():
        poa = _lock_unsigned(poa_id, wish="confirm a signature by hand")
        paper = waiting_paper(poa)
        text = text_of(poa)
        if is_same_person(paper.recorded_by, str(by)):
            raise SamePersonTwice
        if paper.document_sha256 != text.sha256:
            raise WordingChanged("The wording has changed since. Reject this scan, then print the document again.")
        paper.confirmed_by, paper.confirmed_at = str(by), at
        paper.save(update_fields=["confirmed_by", "confirmed_at"])
        for statement in PAPER_STATEMENTS:
            ConsentRecord.objects.get_or_create(
                poa=poa,
                statement=statement,
                wording_sha256=text.sha256_of(statement),
                defaults={
                    "wording_version": text.version,
                    "words": text.words[statement],
                    "language": text.language,
                    "given_at": at,
                    "user_agent": ON_PAPER,
                },
            )
        poa.signature_kind, poa.signature_text = SignatureKind.PAPER, ""
        poa.signed_at, poa.signed_user_agent = at, ON_PAPER
        poa.document_sha256 = text.sha256
        poa.token_expires_at = signed_link_expiry(poa, at=at) if poa.token_hash else None
        poa.due_at = at
        details = {
            "paper": paper.public_id,
            "recorded_by": paper.recorded_by,
            "signed_date": paper.signed_date,
            "scan_sha256": paper.scan_sha256,
            "document_sha256": text.sha256,
            "consents": [
                {
                    "statement": statement,
                    "wording_version": text.version,
                    "wording_sha256": text.sha256_of(statement),
                    "language": text.language,
                }
                for statement in PAPER_STATEMENTS
            ],
        }
        take_move(poa, "sign_on_paper", by=by, at=at, details=details)
        enqueue_on_commit(TaskName.SEAL_POA, poa_id=poa.pk)
    return poa


@transaction.atomic
def refuse_paper(*, poa_id: int, reason: str, by: Actor, at: datetime) -> PaperSignature:
    """
    Reject a scan that does not show what it should. It stays on file, and another can be recorded.

    :raises NoPaperWaiting: no scan is on file
    """
    poa = lock(poa_id)
    paper = waiting_paper(poa)
    paper.refused_by, paper.refused_at, paper.refused_because = str(by), at, reason
    paper.save(update_fields=["refused_by", "refused_at", "refused_because"])
    chain.record(poa, kind="paper_refused", by=by, at=at, details={"paper": paper.public_id, "reason": reason})
    return paper


def waiting_paper(poa: PoaDocument) -> PaperSignature:
    """:raises NoPaperWaiting: no scan is waiting for the second person"""
    paper = poa.paper_signatures.filter(confirmed_at__isnull=True, refused_at__isnull=True).first()
    if paper is None:
        raise NoPaperWaiting
    return paper


def scan_file(paper: PaperSignature) -> StoredFile:
    return StoredFile(key=paper.scan_storage_key, sha256=paper.scan_sha256, size_bytes=paper.scan_size_bytes)


def received_scan_file(paper: PaperSignature) -> StoredFile:
    """Return the scan as it was uploaded. Older scans have no such file, and an empty key."""
    return StoredFile(
        key=paper.received_storage_key, sha256=paper.received_sha256, size_bytes=paper.received_size_bytes or 0
    )


def _check_recordable(poa: PoaDocument, *, signed_date: date, at: datetime) -> None:
    if poa.paper_signatures.filter(refused_at__isnull=True).exists():
        raise PaperAlreadyRecorded
    if not poa.evidence.filter(kind="printed", details__document_sha256=text_of(poa).sha256).exists():
        raise NotPrinted
    if not chicago_day(poa.created_at) <= signed_date <= chicago_day(at):
        raise ImpossibleSignedDate(
            f"The document was drafted on {short_date(poa.created_at)}, so the date next to the signature "
            f"cannot be {short_date(signed_date)}. Check the paper again."
        )


def _lock_unsigned(poa_id: int, *, wish: str) -> PoaDocument:
    poa = lock(poa_id)
    if poa.status not in MOVES["sign_on_paper"].sources:
        raise MoveNotAllowed(subject=str(poa), move=wish, status=poa.status)
    return poa
