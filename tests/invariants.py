"""
What must hold after every step, whatever was broken: one check per promise, I1 to I12.

Each check looks at the database and, where given, at what the simulator counts as accepted. It judges by the records,
not by the code that wrote them. An empty list of findings means that everything holds.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.db.models import Prefetch

from core.dates import chicago_day
from core.models import CaseChange
from core.stored_files import FileAltered, StoredFile, read
from enrollments.models import (
    AcceptAttempt,
    Enrollment,
    EnrollmentEvent,
    Hold,
    LightWrite,
    PlanOffer,
    RemoteCall,
    WebhookDelivery,
)
from enrollments.states import MOVES, EnrollmentStatus, WriteKind, WriteStatus
from installations.models import Customer, GoLiveReport, KeptProof, ProofFile, StoredProof
from poa_documents.journal import chain
from poa_documents.models import ConsentRecord, Envelope, EvidenceEntry, PoaDocument, SignatureKind, Statement
from poa_documents.states import ENDED_MAYBE_UNSTORED, EVER_SIGNED_STATUSES, PoaStatus

FIRST_START_DAY, LAST_START_DAY = 7, 30
FINISHED = frozenset({EnrollmentStatus.ACTIVE, EnrollmentStatus.ENDED})


@dataclass(frozen=True)
class Seen:
    """What the checks look at besides the database."""

    acceptances: Sequence[Mapping[str, Any]]
    captured: str = ""
    calls_inside_transactions: Sequence[str] = ()


def broken_invariants(
    acceptances: Sequence[Mapping[str, Any]] = (), *, captured: str = "", calls_inside_transactions: Sequence[str] = ()
) -> list[str]:
    """
    Name every promise that does not hold now.

    `acceptances` is what the simulator's `/__sim__/acceptances` lists, `captured` everything logged or printed.
    """
    seen = Seen(acceptances, captured, calls_inside_transactions)
    return [f"{name}: {finding}" for name, check in CHECKS.items() for finding in check(seen)]


def differences_from_light(acceptances: Sequence[Mapping[str, Any]]) -> list[str]:
    """
    Compare what the simulator counts as accepted by us with our records, once no doubt is left.

    A plan that the customer accepted is not ours and is left out.
    """
    unknown, invented = acceptances_unlike(acceptances)
    return [f"accepted at Light, not on record: {row}" for row in unknown] + [
        f"on record, not accepted at Light: {row}" for row in invented
    ]


def _is_ours(row: Mapping[str, Any]) -> bool:
    """Whether Light did what we asked: not what a customer accepted, nor what a fault made it do differently."""
    return not row["by_customer"] and bool(row["as_asked"])


def acceptances_unlike(
    acceptances: Sequence[Mapping[str, Any]],
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return what only Light holds and what only our records hold: account, ESI ID, plan and start of each."""
    theirs = Counter(
        (row["account_uuid"], row["esi_id"], row["plan_uuid"], row["service_start_date"])
        for row in acceptances
        if _is_ours(row)
    )
    ours = Counter(
        (
            str(attempt.enrollment.light_account_uuid),
            attempt.esi_id,
            str(attempt.offer.light_plan_uuid),
            attempt.service_start_date.isoformat(),
        )
        for attempt in AcceptAttempt.objects.filter(succeeded=True).select_related("enrollment", "offer")
    )
    return list((theirs - ours).elements()), list((ours - theirs).elements())


def no_acceptance_without_authority(seen: Seen) -> Iterator[str]:
    """I1: signed, sealed, unrevoked, for this meter, and Light was told of it before."""
    attempts = AcceptAttempt.objects.select_related("write", "poa__envelope", "enrollment")
    for attempt in attempts:
        sent_at, poa = attempt.write.opened_at, attempt.poa
        if poa.status not in EVER_SIGNED_STATUSES or poa.signed_at is None or poa.signed_at > sent_at:
            yield f"attempt {attempt.pk} was sent without a signature"
        if poa.sealed_at is None or poa.sealed_at > sent_at or attempt.poa_sha256 != poa.pdf_sha256:
            yield f"attempt {attempt.pk} was sent without its sealed document"
        if poa.status in ENDED_MAYBE_UNSTORED and poa.ended_at is not None and poa.ended_at < sent_at:
            yield f"attempt {attempt.pk} was sent after the authority was taken back or the customer died"
        if chicago_day(sent_at) > poa.envelope.sunset_date:
            yield f"attempt {attempt.pk} was sent after the sunset of the authority"
        if not attempt.esi_id == poa.envelope.esi_id == attempt.offer.esi_id:
            yield f"attempt {attempt.pk} is for another meter than was signed for"
        recorded = LightWrite.objects.filter(
            enrollment=attempt.enrollment,
            kind=WriteKind.RECORD_CLIENT_AGENT,
            status=WriteStatus.DONE,
            closed_at__lte=sent_at,
            request__poa=str(poa.public_id),
        )
        if not recorded.exists():
            yield f"attempt {attempt.pk} was sent before Light was told of POA {poa.pk}"
    for write in LightWrite.objects.select_related("enrollment"):
        poas = PoaDocument.objects.filter(
            customer=write.enrollment.customer_id, site=write.enrollment.site_id, signed_at__lte=write.opened_at
        )
        if not poas.exists():
            yield f"write {write.pk} was made before anything was signed"
    yield from _acceptances_against_the_customer()
    yield from _acceptances_nobody_recorded(seen)
    yield from _acceptances_of_something_else(seen)


def _acceptances_against_the_customer() -> Iterator[str]:
    """Sent while the customer could still object, had it on hold, or was reported dead or unable to decide."""
    for attempt in AcceptAttempt.objects.select_related("write", "enrollment"):
        sent_at, case = attempt.write.opened_at, attempt.enrollment
        told = case.notices.filter(poa=attempt.poa_id, given_at__lte=sent_at).last()
        if told is not None and sent_at < told.until:
            yield f"attempt {attempt.pk} was sent before its notice was over"
        said = case.events.filter(name__in=["customer_held", "customer_resumed"], at__lt=sent_at).last()
        if said is not None and said.name == "customer_held":
            yield f"attempt {attempt.pk} was sent while the customer had it on hold"
        stopped = case.customer.stop_signals.filter(recorded_at__lt=sent_at).exclude(ended_at__lte=sent_at)
        if stopped.exists():
            yield f"attempt {attempt.pk} was sent while the customer was reported dead or unable to decide"


def _acceptances_of_something_else(seen: Seen) -> Iterator[str]:
    """What Light accepted differently from the request is never finalized, nor announced as the customer's plan."""
    for row in seen.acceptances:
        if row["as_asked"]:
            continue
        case = Enrollment.objects.get(light_account_uuid=row["account_uuid"])
        if case.status in {EnrollmentStatus.FINALIZED, EnrollmentStatus.ACTIVE}:
            yield f"{case} is {case.status} with a plan, start or meter that was never asked for"


def _acceptances_nobody_recorded(seen: Seen) -> Iterator[str]:
    recorded = {
        (str(account), esi_id, str(plan), start.isoformat())
        for account, esi_id, plan, start in AcceptAttempt.objects.values_list(
            "enrollment__light_account_uuid", "esi_id", "offer__light_plan_uuid", "service_start_date"
        )
    }
    for row in seen.acceptances:
        named = (row["account_uuid"], row["esi_id"], row["plan_uuid"], row["service_start_date"])
        if _is_ours(row) and named not in recorded:
            yield f"Light holds an acceptance that was not recorded before it was sent: {named}"


def never_two_acceptances(seen: Seen) -> Iterator[str]:
    """I2: one open and one successful acceptance per authority use and meter; the same at Light."""
    uses: Counter[tuple[int, str]] = Counter()
    for poa_id, esi_id in AcceptAttempt.objects.filter(succeeded=True).values_list("poa_id", "esi_id"):
        uses[poa_id, esi_id] += 1
    for poa in PoaDocument.objects.select_related("envelope"):
        used = sum(count for (poa_id, _), count in uses.items() if poa_id == poa.pk)
        if used > poa.envelope.uses:
            yield f"POA {poa.pk} grants {poa.envelope.uses} uses and {used} were made"
        if used != poa.uses_made:
            yield f"POA {poa.pk} counts {poa.uses_made} uses, and {used} acceptances succeeded"
    is_open = AcceptAttempt.objects.filter(succeeded=None).values_list("enrollment_id", flat=True)
    yield from (f"enrollment {pk} has {count} open acceptances" for pk, count in Counter(is_open).items() if count > 1)
    granted: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for esi_id, poa_id, use in AcceptAttempt.objects.values_list("esi_id", "poa_id", "poa_use"):
        granted[esi_id].add((poa_id, use))
    accepted = Counter(row["esi_id"] for row in seen.acceptances if _is_ours(row))
    for esi_id, count in accepted.items():
        if count > len(granted[esi_id]):
            yield f"Light holds {count} acceptances for {esi_id}, under {len(granted[esi_id])} grants"


def every_plan_within_its_envelope(_seen: Seen) -> Iterator[str]:
    """I3: field by field, judged again here; a limited field missing from the offer is outside."""
    for attempt in AcceptAttempt.objects.select_related("offer", "poa__envelope", "write"):
        for field in _fields_outside(attempt.offer, attempt.poa.envelope):
            yield f"attempt {attempt.pk} took a plan whose {field} is outside what was signed"
        if not attempt.write.request.get("verdict"):
            yield f"attempt {attempt.pk} keeps no verdict"


def _fields_outside(offer: PlanOffer, envelope: Envelope) -> Iterator[str]:
    highest: tuple[tuple[str, Decimal | int | None, Decimal | int], ...] = (
        ("price at 500 kWh", offer.average_cents_per_kwh_500, envelope.max_average_cents_per_kwh_500),
        ("price at 1,000 kWh", offer.average_cents_per_kwh_1000, envelope.max_average_cents_per_kwh_1000),
        ("price at 2,000 kWh", offer.average_cents_per_kwh_2000, envelope.max_average_cents_per_kwh_2000),
        ("base fee", offer.base_fee_dollars, envelope.max_base_fee_dollars),
        ("term", offer.term_months, envelope.max_term_months),
        ("termination fee", offer.termination_fee_dollars, envelope.max_termination_fee_dollars),
    )
    yield from (name for name, offered, signed in highest if offered is None or offered > signed)
    lowest_buyback = envelope.min_buyback_cents_per_kwh
    if lowest_buyback > 0 and (offer.buyback_cents_per_kwh is None or offer.buyback_cents_per_kwh < lowest_buyback):
        yield "buyback"
    if offer.light_plan_group != envelope.light_plan_group:
        yield "plan group"
    if offer.rate_kind != envelope.rate_kind:
        yield "rate kind"


def every_start_within_the_window(seen: Seen) -> Iterator[str]:
    """I4: 7 to 30 days after the Chicago day of the call, and inside the signed range."""
    for attempt in AcceptAttempt.objects.select_related("write", "poa__envelope"):
        sent, envelope = chicago_day(attempt.write.opened_at), attempt.poa.envelope
        if attempt.chicago_date != sent or not _in_window(sent, attempt.service_start_date):
            yield f"attempt {attempt.pk} was sent on {sent} for {attempt.service_start_date}"
        if not envelope.earliest_start_date <= attempt.service_start_date <= envelope.latest_start_date:
            yield f"attempt {attempt.pk} starts outside the signed range"
    for row in seen.acceptances:
        sent = chicago_day(datetime.fromisoformat(row["accepted_at"]))
        if not row["by_customer"] and not _in_window(sent, date.fromisoformat(row["service_start_date"])):
            yield f"Light took an acceptance on {sent} for {row['service_start_date']}"


def _in_window(sent: date, start: date) -> bool:
    return timedelta(days=FIRST_START_DAY) <= start - sent <= timedelta(days=LAST_START_DAY)


def no_write_repeated_in_doubt(seen: Seen) -> Iterator[str]:
    """I5: no call inside a transaction, and none started while another one's outcome is unknown."""
    yield from (f"called inside a transaction: {call}" for call in seen.calls_inside_transactions)
    writes: dict[int, list[LightWrite]] = defaultdict(list)
    for write in LightWrite.objects.order_by("enrollment_id", "pk"):
        writes[write.enrollment_id].append(write)
    for of_case in writes.values():
        for earlier, later in pairwise(of_case):
            was_corrected_later = earlier.doubt_since is not None and earlier.status == WriteStatus.DONE
            is_over = earlier.closed_at is not None and earlier.closed_at <= later.opened_at
            if not is_over and not was_corrected_later:
                yield f"write {later.pk} began while the outcome of write {earlier.pk} was unknown"
    for attempt in AcceptAttempt.objects.select_related("write"):
        said = {WriteStatus.DONE: True, WriteStatus.OPEN: None, WriteStatus.IN_DOUBT: None}
        expected = said.get(WriteStatus(attempt.write.status), False)
        late = attempt.succeeded is True and attempt.write.status == WriteStatus.NOT_DONE
        if attempt.succeeded is not expected and not late:
            yield f"attempt {attempt.pk} says {attempt.succeeded} and its write {attempt.write.status}"


def only_moves_of_the_table(_seen: Seen) -> Iterator[str]:
    """I6: every change of status is a move of the table, each from where the previous one ended."""
    in_order = Prefetch("events", EnrollmentEvent.objects.order_by("pk"))
    for enrollment in Enrollment.objects.prefetch_related(in_order):
        status = EnrollmentStatus.OPEN.value
        for event in enrollment.events.all():
            if event.old_status != status:
                yield f"{enrollment} was {status} when “{event.name}” found it {event.old_status}"
            if event.new_status != event.old_status:
                move = MOVES.get(event.name)
                if move is None or event.old_status not in move.sources or event.new_status != move.target:
                    yield f"{enrollment}: “{event.name}” from {event.old_status} to {event.new_status} is no move"
            status = event.new_status
        if enrollment.status != status:
            yield f"{enrollment} is {enrollment.status}, its events end with {status}"


def every_signed_file_is_retrievable(_seen: Seen) -> Iterator[str]:
    """I7: "signed" requires a stored file that reads back identical."""
    for poa in PoaDocument.objects.filter(status__in=sorted(EVER_SIGNED_STATUSES - {PoaStatus.SUSPENDED})):
        if poa.sealed_at is None and poa.status in ENDED_MAYBE_UNSTORED:
            continue  # ended before the file was made: there is none to keep
        try:
            content = read(StoredFile(poa.pdf_storage_key, poa.pdf_sha256, poa.pdf_size_bytes or 0))
        except FileAltered as problem:
            yield f"POA {poa.pk} is {poa.status}, yet {problem}"
        else:
            if len(content) != poa.pdf_size_bytes:
                yield f"POA {poa.pk} has another size than recorded"


def no_webhook_vanishes(_seen: Seen) -> Iterator[str]:
    """I8: processed, due, or listed with what went wrong."""
    for delivery in WebhookDelivery.objects.filter(settled_at=None, due_at=None, last_error=""):
        if not delivery.outcome:
            yield f"delivery {delivery.pk} is neither settled nor due nor failed"
    is_listed = set(WebhookDelivery.objects.values_list("pk", flat=True))
    is_named = set(WebhookDelivery.objects.exclude(event_key="").values_list("pk", flat=True))
    yield from (f"delivery {pk} has no key" for pk in sorted(is_listed - is_named))


def every_open_case_has_a_next_time_or_a_person(_seen: Seen) -> Iterator[str]:
    """I9: due, being processed, or waiting for a named person; never only for a message."""
    changed_sites = set(CaseChange.objects.values_list("site_id", flat=True))
    for enrollment in Enrollment.objects.exclude(status__in=FINISHED).prefetch_related("holds"):
        has_time = enrollment.due_at is not None or enrollment.lease_until is not None
        is_held = any(hold.released_at is None and hold.owner and hold.because for hold in enrollment.holds.all())
        is_somebodys_turn = bool(enrollment.whose_turn and enrollment.because)
        if not (has_time or is_held or is_somebodys_turn or enrollment.site_id in changed_sites):
            yield f"{enrollment} ({enrollment.status}, {enrollment.next_step}) waits for nobody and no time"
    for poa in PoaDocument.objects.filter(status=PoaStatus.SEALING, due_at=None):
        yield f"POA {poa.pk} is being stored and nothing looks for it"


def every_change_has_its_evidence(_seen: Seen) -> Iterator[str]:
    """I10: each chain verifies, and each event of a case with a POA is in one of them."""
    entries: dict[str, Counter[tuple[str, datetime]]] = defaultdict(Counter)
    for entry in EvidenceEntry.objects.filter(kind__startswith="enrollment."):
        entries[entry.details["enrollment"]][entry.kind, entry.at] += 1
    for poa in PoaDocument.objects.all():
        problem = chain.verify(poa).problem
        if problem:
            yield f"journal of POA {poa.pk}: {problem}"
    firsts: dict[tuple[int, int], PoaDocument] = {}
    for poa in PoaDocument.objects.order_by("created_at"):
        firsts.setdefault((poa.customer_id, poa.site_id), poa)
    for enrollment in Enrollment.objects.prefetch_related("events"):
        first = firsts.get((enrollment.customer_id, enrollment.site_id))
        events = Counter((f"enrollment.{event.name}", event.at) for event in enrollment.events.all())
        unheard = entries[str(enrollment.public_id)] - events
        yield from (f"{enrollment}: the journal says {kind}, no event does" for kind, _ in unheard)
        for kind, at in events - entries[str(enrollment.public_id)]:
            if first is not None and first.created_at < at:
                yield f"{enrollment}: {kind} at {at} is in no journal"


def what_people_gave_is_kept_and_counts_once(_seen: Seen) -> Iterator[str]:
    """I11: one report per submission of a technician, however often it was sent; each photo and signature exists."""
    sent = Counter(GoLiveReport.objects.values_list("submission_id", flat=True))
    yield from (f"submission {submission} counts {count} times" for submission, count in sent.items() if count > 1)
    proofs: list[StoredProof] = [*ProofFile.objects.all(), *KeptProof.objects.all()]
    for proof in proofs:
        if proof.unstored_content:
            continue
        try:
            read(StoredFile(proof.storage_key, proof.sha256, proof.size_bytes))
        except FileAltered as problem:
            yield f"{type(proof).__name__} {proof.pk} is lost: {problem}"
    for poa in PoaDocument.objects.filter(signed_at__isnull=False, signature_kind=""):
        yield f"POA {poa.pk} was signed and its signature is gone"
    agreed: dict[int, set[str]] = defaultdict(set)
    for poa_id, statement in ConsentRecord.objects.values_list("poa_id", "statement"):
        agreed[poa_id].add(statement)
    signed = PoaDocument.objects.filter(signed_at__isnull=False).values_list("pk", "signature_kind")
    for poa_id, signature_kind in signed:
        needed = set(Statement.values) - ({Statement.ERECORD} if signature_kind == SignatureKind.PAPER else set())
        yield from (f"POA {poa_id}: the consent to {lost} is gone" for lost in needed - agreed[poa_id])


def no_secret_is_shown(seen: Seen) -> Iterator[str]:
    """I12: not in the records that staff see or export, not in what was logged."""
    secrets = {"an app token": settings.LIGHT_APP_TOKEN, "the secret key": settings.SECRET_KEY}
    secrets |= {f"webhook secret {number}": text for number, text in enumerate(settings.LIGHT_WEBHOOK_SECRETS)}
    for customer in Customer.objects.all():
        secrets[f"the birth date of customer {customer.pk}"] = customer.date_of_birth_text
    for poa in PoaDocument.objects.filter(signature_kind=SignatureKind.DRAWN):
        secrets[f"the signature of POA {poa.pk}"] = poa.signature_text
    shown = {"what was logged": seen.captured, **_texts_on_record()}
    for where, text in shown.items():
        yield from (f"{what} stands in {where}" for what, secret in secrets.items() if secret and secret in text)


def _texts_on_record() -> dict[str, str]:
    rows = {
        "writes": LightWrite.objects.values_list("request", "answer", "outcome"),
        "events": EnrollmentEvent.objects.values_list("reason", "actor"),
        "holds": Hold.objects.values_list("because", "release_reason"),
        "calls": RemoteCall.objects.values_list("path", "problem"),
        "enrollments": Enrollment.objects.values_list("because", "last_error", "light_account"),
        "the journal": EvidenceEntry.objects.exclude(kind__startswith="poa.").values_list("details"),
        "deliveries": WebhookDelivery.objects.values_list("headers", "last_error", "outcome"),
    }
    return {name: repr(list(found)) for name, found in rows.items()}


CHECKS: dict[str, Callable[[Seen], Iterator[str]]] = {
    "I1": no_acceptance_without_authority,
    "I2": never_two_acceptances,
    "I3": every_plan_within_its_envelope,
    "I4": every_start_within_the_window,
    "I5": no_write_repeated_in_doubt,
    "I6": only_moves_of_the_table,
    "I7": every_signed_file_is_retrievable,
    "I8": no_webhook_vanishes,
    "I9": every_open_case_has_a_next_time_or_a_person,
    "I10": every_change_has_its_evidence,
    "I11": what_people_gave_is_kept_and_counts_once,
    "I12": no_secret_is_shown,
}
