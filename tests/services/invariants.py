"""
What must hold at every instant, read from the records and from Light's own list of acceptances.

The numbers I1 to I12 are those of the list of invariants. Each check gives a sentence per breach.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q

from core.dates import chicago_day
from core.models import CaseChange
from core.stored_files import FileAltered, StoredFile, read
from enrollments import offers
from enrollments.facts import offered_plan, signed_limits
from enrollments.models import AcceptAttempt, Enrollment, Hold, LightWrite, WebhookDelivery
from enrollments.states import FINAL_STATUSES, MOVES, WriteKind, WriteStatus
from installations.models import GoLiveReport
from poa_documents import evidence
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus

Acceptances = Sequence[dict[str, Any]]
EARLIEST_START_DAYS, LATEST_START_DAYS = 7, 30


def broken_invariants(acceptances: Callable[[], Acceptances], *, reads_files: bool = False) -> list[str]:
    """
    Name every invariant that does not hold now, while others may be at work.

    `acceptances` asks Light, before and after our records are read: what Light holds must have been recorded before it
    was sent, and what we call done must be there.
    """
    known_before = acceptances()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        broken = [
            *_authority_at_each_acceptance(),
            *_one_acceptance(known_before),
            *_within_limits_and_window(),
            *_one_write_at_a_time(),
            *_unbroken_histories(),
            *_signed_means_sealed(),
            *_webhooks_settled_or_shown(),
            *_nobody_waits_for_a_message_alone(),
            *_evidence_is_whole(),
            *_submissions_count_once(),
        ]
        succeeded = list(AcceptAttempt.objects.filter(succeeded=True).select_related("enrollment", "offer"))
        sealed = list(PoaDocument.objects.exclude(pdf_storage_key="").exclude(status=PoaStatus.SUSPENDED))
    broken += _done_means_done(succeeded, acceptances())
    if reads_files:
        broken += _files_are_whole(sealed)
    return broken


def leaked_secrets(written: str, secrets: dict[str, str]) -> list[str]:
    """I12: name the secrets that stand in what was written to logs."""
    return [f"I12: {name} stands in the logs." for name, secret in secrets.items() if secret and secret in written]


def _authority_at_each_acceptance() -> Iterator[str]:
    for attempt in AcceptAttempt.objects.select_related("write", "poa__envelope", "enrollment"):
        poa, sent_at = attempt.poa, attempt.write.opened_at
        if not (poa.signed_at and poa.sealed_at and poa.signed_at <= sent_at):
            yield f"I1: acceptance {attempt.pk} was recorded before POA {poa.pk} was signed and sealed."
        if attempt.poa_sha256 != poa.pdf_sha256 or attempt.esi_id != poa.envelope.esi_id:
            yield f"I1: acceptance {attempt.pk} names another document or meter than POA {poa.pk}."
        if poa.status == PoaStatus.REVOKED and poa.ended_at and poa.ended_at < sent_at:
            yield f"I1: acceptance {attempt.pk} was recorded after POA {poa.pk} was revoked."
        attested_at = attempt.enrollment.attested_at
        if attested_at is None or attested_at > sent_at:
            yield f"I1: acceptance {attempt.pk} was recorded before Light confirmed our attestation."


def _one_acceptance(at_light: Acceptances) -> Iterator[str]:
    attempts = AcceptAttempt.objects.filter(Q(succeeded=True) | Q(succeeded__isnull=True))
    counts = Counter(attempts.values_list("poa_id", "poa_use", "esi_id"))
    yield from (f"I2: {count} acceptances under {use}." for use, count in counts.items() if count > 1)
    ours = {str(uuid): pk for uuid, pk in Enrollment.objects.values_list("light_account_uuid", "pk") if uuid}
    sent = {
        (str(attempt.enrollment.light_account_uuid), str(attempt.offer.light_plan_uuid), attempt.esi_id)
        for attempt in AcceptAttempt.objects.exclude(succeeded=False).select_related("enrollment", "offer")
    }
    by_us = [one for one in at_light if not one["by_customer"] and one["account_uuid"] in ours]
    per_meter = Counter(one["esi_id"] for one in by_us)
    yield from (
        f"I2: Light holds {count} acceptances for {esi_id}." for esi_id, count in per_meter.items() if count > 1
    )
    for one in by_us:
        if (one["account_uuid"], one["plan_uuid"], one["esi_id"]) not in sent:
            yield f"I2: Light holds an acceptance for {one['esi_id']} that our records deny."
        yield from _illegal_start(one)


def _illegal_start(at_light: dict[str, Any]) -> Iterator[str]:
    accepted_on = chicago_day(datetime.fromisoformat(at_light["accepted_at"]))
    days = (date.fromisoformat(at_light["service_start_date"]) - accepted_on).days
    if not EARLIEST_START_DAYS <= days <= LATEST_START_DAYS:
        yield f"I4: Light holds a start {days} days after the acceptance for {at_light['esi_id']}."


def _within_limits_and_window() -> Iterator[str]:
    for attempt in AcceptAttempt.objects.select_related("offer", "poa__envelope", "write"):
        if not offers.judge(offered_plan(attempt.offer), signed_limits(attempt.poa.envelope)).fits:
            yield f"I3: acceptance {attempt.pk} is outside the signed envelope."
        if not attempt.offer.verdict:
            yield f"I3: acceptance {attempt.pk} has no verdict on record."
        days = (attempt.service_start_date - chicago_day(attempt.write.opened_at)).days
        if not EARLIEST_START_DAYS <= days <= LATEST_START_DAYS:
            yield f"I4: acceptance {attempt.pk} asks for a start {days} days ahead."


def _one_write_at_a_time() -> Iterator[str]:
    writes: dict[int, list[LightWrite]] = {}
    for write in LightWrite.objects.order_by("enrollment_id", "pk"):
        writes.setdefault(write.enrollment_id, []).append(write)
    for enrollment_id, in_order in writes.items():
        for earlier, later in pairwise(in_order):
            if earlier.closed_at is None or earlier.closed_at > later.opened_at:
                yield f"I5: enrollment {enrollment_id} began write {later.pk} before write {earlier.pk} was settled."
        done = Counter(write.kind for write in in_order if write.status == WriteStatus.DONE)
        if done[WriteKind.ACCEPT_PLAN] > 1 or done[WriteKind.CREATE_ACCOUNT] > 1:
            yield f"I5: enrollment {enrollment_id} did a write twice: {dict(done)}."


def _unbroken_histories() -> Iterator[str]:
    for enrollment in Enrollment.objects.prefetch_related("events"):
        status = ""
        for event in sorted(enrollment.events.all(), key=lambda one: one.pk):
            if status and event.old_status != status:
                yield f"I6: enrollment {enrollment.pk} was {status}, yet “{event.name}” found it {event.old_status}."
            move = MOVES.get(event.name)
            if event.old_status != event.new_status and (move is None or event.old_status not in move.sources):
                yield f"I6: enrollment {enrollment.pk} took “{event.name}” from {event.old_status}."
            status = event.new_status
        if status and status != enrollment.status:
            yield f"I10: enrollment {enrollment.pk} is {enrollment.status}, its history ends at {status}."


def _signed_means_sealed() -> Iterator[str]:
    unsealed = Q(pdf_storage_key="") | Q(pdf_sha256="") | Q(sealed_at__isnull=True)
    for poa in PoaDocument.objects.filter(unsealed, status__in=[PoaStatus.SIGNED, PoaStatus.EXHAUSTED]):
        yield f"I7: POA {poa.pk} counts as signed without a sealed file."


def _files_are_whole(poas: Sequence[PoaDocument]) -> Iterator[str]:
    for poa in poas:
        try:
            read(StoredFile(poa.pdf_storage_key, poa.pdf_sha256, poa.pdf_size_bytes or 0))
        except FileAltered as problem:
            yield f"I7: POA {poa.pk}: {problem}"


def _webhooks_settled_or_shown() -> Iterator[str]:
    vanished = WebhookDelivery.objects.filter(settled_at__isnull=True, due_at__isnull=True, last_error="")
    yield from (f"I8: webhook {pk} is neither settled, due nor failed." for pk in vanished.values_list("pk", flat=True))


def _nobody_waits_for_a_message_alone() -> Iterator[str]:
    held = Hold.objects.filter(released_at=None).values("enrollment")
    changed = CaseChange.objects.values("site_id")
    waiting = Enrollment.objects.exclude(status__in=FINAL_STATUSES).filter(due_at=None, lease_until=None, whose_turn="")
    for enrollment in waiting.exclude(pk__in=held).exclude(site_id__in=changed):
        yield f"I9: enrollment {enrollment.pk} ({enrollment.status}) is never due and nobody is asked."


def _evidence_is_whole() -> Iterator[str]:
    for poa in PoaDocument.objects.all():
        verdict = evidence.verify(poa)
        if not verdict.is_intact:
            yield f"I10: the journal of POA {poa.pk} is broken at {verdict.broken_number}: {verdict.problem}"


def _submissions_count_once() -> Iterator[str]:
    twice = GoLiveReport.objects.values("submission_id").annotate(count=Count("pk")).filter(count__gt=1)
    yield from (f"I11: submission {row['submission_id']} counts {row['count']} times." for row in twice)


def _done_means_done(succeeded: Sequence[AcceptAttempt], at_light: Acceptances) -> Iterator[str]:
    held = {(one["account_uuid"], one["plan_uuid"], one["service_start_date"]) for one in at_light}
    for attempt in succeeded:
        ours = (
            str(attempt.enrollment.light_account_uuid),
            str(attempt.offer.light_plan_uuid),
            attempt.service_start_date.isoformat(),
        )
        if ours not in held:
            yield f"I2: acceptance {attempt.pk} is done on our record, and Light does not hold it."
