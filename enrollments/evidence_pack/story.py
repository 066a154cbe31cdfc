"""The story of a case as a readable PDF, in order, in Chicago time."""

import heapq
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import typst
from django.utils.text import capfirst

from core.actors import ActorKind
from core.company_rules import rules_at
from core.dates import CHICAGO, chicago_day
from enrollments.evidence_pack.contents import poas_of
from enrollments.evidence_pack.spool import Spool
from enrollments.models import AcceptAttempt, Enrollment, EnrollmentEvent, LightWrite, PlanDocument, WebhookDelivery
from enrollments.presenters import owner_label, reason_label
from enrollments.states import EnrollmentStatus, LeavingReason
from installations.models import InstallationEvent, ProofFile
from installations.states import CURRENT_REPORT_STATUSES
from poa_documents.models import EvidenceEntry, PoaDocument
from poa_documents.pdf.rendering import to_printable

TEMPLATE = Path(__file__).resolve().parent / "story.typ"
MAX_LINES = 1500
"""More than a case has in years. The journals in the pack have the rest."""
MAX_TEXT_LENGTH = 600

Line = tuple[datetime, int, str, str, str]


class People:
    """Who acted, in the story's words: "staff 1" is the first employee in it. The other files have the public IDs."""

    def __init__(self) -> None:
        self._known: dict[str, list[str]] = {}

    def name(self, actor: str) -> str:
        kind, _, person = actor.partition(":")
        if not person or kind in {ActorKind.CUSTOMER.value.lower(), ActorKind.SYSTEM.value.lower()}:
            return _words(kind)
        met = self._known.setdefault(kind, [])
        if person not in met:
            met.append(person)
        return f"{_words(kind)} {met.index(person) + 1}"


def gather(enrollment: Enrollment, spool: Spool) -> dict[str, Any]:
    """Return the content of the story as plain text. Call it in the same snapshot as the other files."""
    poas = poas_of(enrollment)
    attempt = enrollment.acceptances.filter(succeeded=True).select_related("offer", "write", "poa").last()
    lines, people = _lines(enrollment, poas), People()
    shown = [
        [_moment(at), what, people.name(who), detail] for at, _order, what, who, detail in islice(lines, MAX_LINES)
    ]
    return {
        "title": f"Evidence for {enrollment.customer}",
        "facts": _facts(enrollment),
        "chapters": [
            *(_authority_chapter(poa) for poa in poas),
            _go_live_chapter(enrollment, people),
            *([_offer_chapter(attempt), _dates_chapter(attempt)] if attempt else []),
            _documents_chapter(enrollment),
            _writes_chapter(enrollment),
        ],
        "timeline": shown,
        "left_out": sum(1 for _ in lines),
    }


def render(told: dict[str, Any], *, newest_fact_at: datetime) -> bytes:
    """Return the PDF. The same story gives the same bytes, also after the company changed its name."""
    organization = rules_at(newest_fact_at).name
    content = _printable({**told, "organization": organization, "as_of": _moment(newest_fact_at)})
    pdf: bytes = typst.compile(
        str(TEMPLATE),
        root=str(TEMPLATE.parent),
        ignore_system_fonts=True,
        sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
        pdf_standards=["a-2a", "ua-1"],
        timestamp=int(newest_fact_at.timestamp()),
    )
    return pdf


def _printable(value: Any) -> Any:
    match value:
        case str():
            return to_printable(" ".join(value.split()))[:MAX_TEXT_LENGTH]
        case dict():
            return {key: _printable(each) for key, each in value.items()}
        case list() | tuple():
            return [_printable(each) for each in value]
        case _:
            return value


def _facts(enrollment: Enrollment) -> list[tuple[str, str]]:
    site, offer = enrollment.site, enrollment.accepted_offer
    address = ", ".join(part for part in (site.address_1, site.address_2, site.city, site.state) if part)
    return [
        ("Customer", str(enrollment.customer)),
        ("Premise", f"{address} {site.postal_code}"),
        ("ESI ID", site.esi_id),
        ("Case opened", _moment(enrollment.opened_at)),
        ("Light's account", str(enrollment.light_account_uuid or "none")),
        ("Attested to Light", _moment(enrollment.attested_at)),
        ("Plan accepted", f"{offer}, {_moment(enrollment.accepted_at)}" if offer else "none"),
        ("Service from", _day(enrollment.service_start_date)),
        ("Finalized", _moment(enrollment.finalized_at)),
        ("Active since", _moment(enrollment.active_at)),
        ("Now", EnrollmentStatus(enrollment.status).label),
        *_decision(enrollment),
        *([("Ended", f"{_moment(enrollment.ended_at)}: {enrollment.ended_because}")] if enrollment.ended_at else []),
        *_leaving(enrollment),
    ]


def _leaving(enrollment: Enrollment) -> list[tuple[str, str]]:
    """Return when service ends, and what the office found out about it."""
    last_day = [("Last day of service", _day(enrollment.service_end_date))] if enrollment.service_end_date else []
    if not enrollment.left_reason:
        return last_day
    return [
        *last_day,
        ("Why they left", LeavingReason(enrollment.left_reason).label),
        ("What could win them back", enrollment.win_back_note or "nothing noted"),
    ]


def _decision(enrollment: Enrollment) -> list[tuple[str, str]]:
    """Return the last decision, as the staff pages show it."""
    hold = enrollment.holds.filter(released_at__isnull=True).first()
    owner = hold.owner if hold is not None else enrollment.whose_turn
    act_by = [("Act by", _day(enrollment.act_by_date))] if enrollment.act_by_date else []
    return [
        ("Next", f"Blocked: {reason_label(hold.code)}" if hold is not None else reason_label(enrollment.next_step)),
        ("Because", hold.because if hold is not None else enrollment.because),
        ("Whose turn", owner_label(owner)),
        *act_by,
    ]


def _authority_chapter(poa: PoaDocument) -> dict[str, Any]:
    signed = f"{poa.get_signature_kind_display()} signature from {poa.signed_from_ip or 'an unknown address'}"
    rows = [
        ("Status", poa.get_status_display()),
        ("Sent to the customer", _moment(poa.sent_at)),
        ("Signed", f"{_moment(poa.signed_at)}. {signed}" if poa.signed_at else "not signed"),
        ("Browser", poa.signed_user_agent or "unknown"),
        ("Stored, read back and sealed", _moment(poa.sealed_at)),
        ("SHA-256 of the sealed file", poa.pdf_sha256 or "no file"),
        ("Wording", f"version {poa.template.version}, language {poa.template.language}"),
        *([("Ended", f"{_moment(poa.ended_at)}. {poa.ended_because}")] if poa.ended_at else []),
        *(
            (
                f"Agreed to: {consent.get_statement_display()}",
                (
                    f"{_moment(consent.given_at)}, version {consent.wording_version} ({consent.language}), from "
                    f"{consent.ip_address or 'an unknown address'}; SHA-256 of the words {consent.wording_sha256}"
                ),
            )
            for consent in poa.consents.order_by("given_at", "pk")
        ),
    ]
    return {
        "title": f"Power of attorney of {_day(chicago_day(poa.created_at))}",
        "note": "The file, the exact words and the journal are under authority/, where document.pdf has this SHA-256.",
        "rows": rows,
    }


def _go_live_chapter(enrollment: Enrollment, people: People) -> dict[str, Any]:
    rows = []
    for job in enrollment.installations.order_by("pk"):
        rows.append(
            (f"{job.get_kind_display()}, contract of {_day(job.contract_signed_date)}", job.get_status_display())
        )
        for report in job.reports.order_by("pk"):
            proofs = ProofFile.objects.filter(report=report).order_by("pk")
            counts = "counts" if report.status in CURRENT_REPORT_STATUSES else report.get_status_display().lower()
            files = "; ".join(f"proof with SHA-256 {proof.sha256}" for proof in proofs) or "no proof file"
            rows.append(
                (
                    f"Granted on {_day(report.granted_date)}",
                    (
                        f"{report.get_source_display()}, reported {_moment(report.received_at)} by "
                        f"{people.name(report.reported_by)}, {counts}; {files}"
                    ),
                )
            )
    return {"title": "Permission to operate", "note": "Proof files are in go-live of this pack.", "rows": rows}


def _offer_chapter(attempt: AcceptAttempt) -> dict[str, Any]:
    verdict = attempt.write.request.get("verdict", [])
    return {
        "title": f"The plan that was accepted: {attempt.offer}",
        "note": "Every signed limit and what was offered. The original offer is in light/offers.jsonl.",
        "rows": [
            (
                capfirst(str(field.get("field", ""))),
                (
                    f"signed {field.get('signed')}, offered {field.get('offered')}: "
                    f"{'fits' if field.get('fits') else 'DOES NOT FIT'}"
                ),
            )
            for field in verdict
        ],
    }


def _dates_chapter(attempt: AcceptAttempt) -> dict[str, Any]:
    bounds = attempt.write.request.get("date_plan") or {}
    labels = {
        "act_from": "First day to act",
        "earliest": "Earliest start",
        "latest": "Latest start",
        "last_act": "Last day to act",
    }
    rows = [
        ("Sent to Light on (Chicago)", _day(attempt.chicago_date)),
        ("Service from", _day(attempt.service_start_date)),
        *(
            (label, f"{_day(date.fromisoformat(bounds[name]['date']))}: {bounds[name]['rule']}")
            for name, label in labels.items()
            if name in bounds
        ),
    ]
    return {"title": "Why this start date", "note": "The rule that determined each date.", "rows": rows}


def _documents_chapter(enrollment: Enrollment) -> dict[str, Any]:
    documents = (
        PlanDocument.objects.filter(offer__enrollment=enrollment).select_related("offer").order_by("offer_id", "kind")
    )
    rows = [
        (
            str(document),
            f"stored {_moment(document.stored_at)}, SHA-256 {document.sha256}"
            if document.stored_at
            else f"not stored. {document.last_error}",
        )
        for document in documents
    ]
    return {"title": "The plan's documents", "note": "As fetched when the plan was accepted.", "rows": rows}


def _writes_chapter(enrollment: Enrollment) -> dict[str, Any]:
    rows = [
        (
            f"{write.get_kind_display()}, {_moment(write.opened_at)}",
            f"{write.get_status_display()}, closed {_moment(write.closed_at)}. {write.outcome}",
        )
        for write in enrollment.writes.order_by("opened_at", "pk")
    ]
    return {
        "title": "What we asked Light to change",
        "note": "Each was recorded before it was sent. Requests and answers are in light/writes.jsonl.",
        "rows": rows,
    }


# The timeline


def _lines(enrollment: Enrollment, poas: list[PoaDocument]) -> Iterator[Line]:
    """Merge the journals by time. The case's own events are listed once."""
    events = EnrollmentEvent.objects.filter(enrollment=enrollment).order_by("at", "pk")
    jobs = InstallationEvent.objects.filter(installation__enrollments=enrollment).order_by("at", "pk")
    evidence = EvidenceEntry.objects.filter(poa__in=poas).exclude(kind__startswith="enrollment.").order_by("at", "pk")
    writes = LightWrite.objects.filter(enrollment=enrollment).order_by("opened_at", "pk")
    deliveries = WebhookDelivery.objects.filter(enrollment=enrollment).order_by("received_at", "pk")
    parts: list[Iterable[Line]] = [
        ((job.at, job.pk, f"Job: {_words(job.name)}", job.actor, job.reason) for job in jobs.iterator()),
        ((entry.at, entry.pk, _words(entry.kind), entry.actor, _said(entry)) for entry in evidence.iterator()),
        ((event.at, event.pk, f"Case: {_words(event.name)}", event.actor, event.reason) for event in events.iterator()),
        (
            (write.opened_at, write.pk, f"To Light: {write.get_kind_display()}", "system", write.outcome)
            for write in writes.iterator()
        ),
        (
            (each.received_at, each.pk, f"Webhook: {each.event_name or 'unnamed'}", "light", each.outcome)
            for each in deliveries.iterator()
        ),
    ]
    return heapq.merge(*parts, key=lambda line: line[0])


def _said(entry: EvidenceEntry) -> str:
    shown = ("statement", "wording_version", "language", "channel", "reason", "pdf_sha256", "ip_address")
    return ", ".join(f"{name.replace('_', ' ')} {entry.details[name]}" for name in shown if entry.details.get(name))


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ")


def _moment(at: datetime | None) -> str:
    if at is None:
        return "not yet"
    local = at.astimezone(CHICAGO)
    return f"{local:%b} {local.day}, {local.year}, {local:%H:%M:%S %Z}"


def _day(day: date | None) -> str:
    return f"{day:%b} {day.day}, {day.year}" if day else "not yet"
