"""Releasing the evidence pack of a case, and recording who took it."""

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
    """A finished pack in a temporary file, which is deleted when it is closed."""

    file: IO[bytes]
    name: str
    summary: PackSummary
    problems: tuple[str, ...]
    """Alterations found by the pack's own verifier: records were changed without a journal entry. Empty if intact."""


def hand_out_evidence(*, enrollment_id: int, by: Actor, at: datetime) -> EvidencePack:
    """
    Build the evidence pack of a case and record who took it, with its fingerprint.

    The same facts produce the same pack. A pack with a tampered journal is released too, since it may prove the
    tampering: `problems` lists what is wrong, and its name contains ALTERED. Call it without an open transaction.

    :raises PackNotMade: the storage does not answer
    """
    file = tempfile.TemporaryFile(prefix="evidence-", suffix=".zip")  # noqa: SIM115 - the caller closes it
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
        logger.error("The evidence of enrollment %s was altered: %s", enrollment_id, problems[0])
    prefix = "ALTERED-" if problems else ""
    name = f"{prefix}evidence-{summary.sha256[:12]}.zip"
    return EvidencePack(file=file, name=name, summary=summary, problems=problems)


def _problems_of(file: IO[bytes], *, sha256: str) -> tuple[str, ...]:
    """Verify the pack with the same verifier that its reader will use."""
    try:
        problems, _notes, _status = verify_pack.verify(cast(BinaryIO, file), sha256)
    except verify_pack.NotAPack as refusal:
        problems = [str(refusal)]
    file.seek(0)
    return tuple(problems)
