"""Handing out the evidence of a case, and remembering who took it."""

import logging
import tempfile
from dataclasses import dataclass
from datetime import datetime
from typing import IO, BinaryIO, cast

from core.actors import Actor
from enrollments.evidence_pack import verify_pack
from enrollments.evidence_pack.building import PackSummary, build
from enrollments.models import EvidencePackRead

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvidencePack:
    """A finished pack in a temporary file, which is gone once it is closed."""

    file: IO[bytes]
    name: str
    summary: PackSummary
    problems: tuple[str, ...]
    """What its own verifier names as altered: the records were changed past the journal. Empty when all is in order."""


def hand_out_evidence(*, enrollment_id: int, by: Actor, at: datetime) -> EvidencePack:
    """
    Make the evidence pack of a case and note who took it, with its fingerprint.

    The same facts give the same pack. One whose journal was tampered with is handed out too, with what is wrong in its
    `problems` and ALTERED in its name: it may be the proof of the tampering. Call it without an open transaction.

    :raises PackNotMade: the storage does not answer
    """
    file = tempfile.TemporaryFile(prefix="evidence-", suffix=".zip")  # noqa: SIM115 - whoever takes it closes it
    try:
        summary = build(enrollment_id, file)
        problems = _problems_of(file, sha256=summary.sha256)
        EvidencePackRead.objects.create(
            enrollment_id=enrollment_id,
            actor=str(by),
            at=at,
            sha256=summary.sha256,
            size_bytes=summary.size_bytes,
            newest_fact_at=summary.newest_fact_at,
            missing=[vars(each) for each in summary.missing],
        )
    except BaseException:
        file.close()
        raise
    if problems:
        logger.error("Evidence of enrollment %s is not in order: %s", enrollment_id, problems[0])
    prefix = "ALTERED-" if problems else ""
    name = f"{prefix}evidence-{enrollment_id}-{summary.sha256[:12]}.zip"
    return EvidencePack(file=file, name=name, summary=summary, problems=problems)


def _problems_of(file: IO[bytes], *, sha256: str) -> tuple[str, ...]:
    """Judge the pack as its reader will, so that nobody hands out one that the reader would refuse."""
    try:
        problems, _notes, _status = verify_pack.verify(cast(BinaryIO, file), sha256)
    except verify_pack.NotAPack as refusal:
        problems = [str(refusal)]
    file.seek(0)
    return tuple(problems)
