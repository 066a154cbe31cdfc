"""Handing out the evidence of a case, and remembering who took it."""

import tempfile
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from core.actors import Actor
from enrollments.evidence_pack.building import PackSummary, build
from enrollments.models import EvidencePackRead


@dataclass(frozen=True)
class EvidencePack:
    """A finished pack in a temporary file, which is gone once it is closed."""

    file: IO[bytes]
    name: str
    summary: PackSummary


def hand_out_evidence(*, enrollment_id: int, by: Actor, at: datetime) -> EvidencePack:
    """
    Make the evidence pack of a case and note who took it, with its fingerprint.

    The same facts give the same pack. Call it without an open transaction.

    :raises PackNotMade: the storage does not answer
    """
    file = tempfile.TemporaryFile(prefix="evidence-", suffix=".zip")  # noqa: SIM115 - whoever takes it closes it
    try:
        summary = build(enrollment_id, file)
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
    return EvidencePack(file=file, name=f"evidence-{enrollment_id}-{summary.sha256[:12]}.zip", summary=summary)
