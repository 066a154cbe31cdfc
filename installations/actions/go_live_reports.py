"""Reports that an installation may run, and what becomes of them. Nothing is overwritten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, models, transaction

from core.actors import Actor, ActorKind, is_same_person
from core.case_changes import announce_case_change
from core.dates import chicago_day
from core.moves import MoveNotAllowed
from core.transactions import repeatable
from installations import proofs as proof_files
from installations.go_live import (
    first_report_status,
    granted_date_problems,
    plausible_device_at,
    reference_problems,
    source_problems,
)
from installations.guards import ConfirmedBySamePerson, ReportNotCurrent, SubmissionDiffers, check_input, check_reason
from installations.models import GoLiveReport, Installation, KeptProof, ProofFile
from installations.moves import record_event, take_move
from installations.proofs import CheckedProof
from installations.queries import current_report
from installations.states import CURRENT_REPORT_STATUSES, GoLiveReportStatus, InstallationStatus

_S = GoLiveReportStatus
LIVE_STATUSES = frozenset({InstallationStatus.PTO_REPORTED, InstallationStatus.PTO_CONFIRMED})
LONGEST_REFERENCE = 60
LONGEST_NOTE = 4000
PROOF_FIELDS = (
    "storage_key",
    "sha256",
    "received_sha256",
    "size_bytes",
    "content_type",
    "original_name",
    "unstored_content",
    "received_storage_key",
    "received_size_bytes",
    "unstored_received",
)


class GoLiveResult(StrEnum):
    """What became of one submission."""

    COUNTS = "COUNTS"
    WAITS_FOR_OFFICE = "WAITS_FOR_OFFICE"
    AGREES = "AGREES"
    CONFLICTS = "CONFLICTS"
    CLOSED = "CLOSED"


@dataclass(frozen=True)
class GoLiveOutcome:
    report: GoLiveReport
    is_repeat: bool

    @property
    def result(self) -> GoLiveResult:
        return {
            _S.COUNTED.value: GoLiveResult.COUNTS,
            _S.AWAITING_OFFICE.value: GoLiveResult.WAITS_FOR_OFFICE,
            _S.AGREEING.value: GoLiveResult.AGREES,
            _S.CONFLICTING.value: GoLiveResult.CONFLICTS,
        }.get(self.report.status, GoLiveResult.CLOSED)


@dataclass(frozen=True)
class _Said:
    """What a report says, cleaned of surrounding spaces."""

    submission_id: UUID
    granted_date: date
    source: str
    utility_reference: str
    note: str
    device_at: datetime | None
    by: Actor
    at: datetime


def keep_proof(*, installation_id: int, submission_id: UUID, proof: CheckedProof, by: Actor, at: datetime) -> KeptProof:
    """
    Keep a proof before the rest of its form is judged, so that a wrong date never costs a photo.

    The same file of the same form is kept once. `report_go_live` with that submission id takes it over.
    """
    known = KeptProof.objects.filter(
        submission_id=submission_id, kept_by=str(by), received_sha256=proof.received_sha256
    )
    if found := known.first():
        return found
    kept = KeptProof(installation_id=installation_id, submission_id=submission_id, kept_by=str(by), kept_at=at)
    proof_files.fill_from(kept, proof)
    try:
        with transaction.atomic():
            kept.save()
    except IntegrityError:  # the same form, sent at the same moment, kept it first; its report may have taken it over
        return known.first() or kept
    return kept


def report_go_live(
    *,
    installation_id: int,
    submission_id: UUID,
    granted_date: date,
    source: str,
    utility_reference: str = "",
    note: str = "",
    proofs: Sequence[CheckedProof] = (),
    device_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> GoLiveOutcome:
    """
    Record the utility's permission to operate, or an EV charger's commissioning, and let the case be looked at again.

    `granted_date` is a Chicago calendar day. The same submission again, also at the same moment, counts once and gives
    the first outcome. While another report is current, this one is kept beside it: agreeing when the date is the same
    (and taking its place when only this one has what it takes to count), conflicting when it is not.

    :raises InputRefused: with the problems by field
    :raises SubmissionDiffers: the submission id was used before with other contents
    :raises MoveNotAllowed: the installation is canceled
    """
    for proof in proofs:
        keep_proof(installation_id=installation_id, submission_id=submission_id, proof=proof, by=by, at=at)
    noted_at = plausible_device_at(device_at)
    said = _Said(submission_id, granted_date, source, utility_reference.strip(), note.strip(), noted_at, by, at)
    try:
        return _report(installation_id, said)
    except IntegrityError:
        earlier = GoLiveReport.objects.filter(submission_id=submission_id).first()
        if earlier is None:
            raise
        return _repeat(earlier, installation_id, said)


@repeatable
def confirm_go_live(*, report_id: int, by: Actor, at: datetime, reason: str = "") -> GoLiveReport:
    """
    Let a waiting report count, or settle a conflict in favor of this report; the other one is then corrected by it.

    A report that counts already stays as it is.

    :raises ConfirmedBySamePerson: the same person reported it
    :raises ReportNotCurrent: it was corrected or withdrawn meanwhile, or only agrees with another
    :raises ReasonMissing: a conflict is settled without a reason
    """
    report, installation = _locked(report_id)
    if report.status == _S.COUNTED:
        return report
    if report.status not in {_S.AWAITING_OFFICE, _S.CONFLICTING}:
        raise ReportNotCurrent(f"This report is closed: {report.get_status_display()}. Look at the page again.")
    if is_same_person(report.reported_by, str(by)):
        raise ConfirmedBySamePerson
    if report.status == _S.CONFLICTING:
        reason = check_reason(reason)
        _put_aside(installation, in_favor_of=report, reason=reason)
    report.status = _S.COUNTED
    report.confirmed_by, report.confirmed_at = str(by), at
    report.save(update_fields=["status", "confirmed_by", "confirmed_at", "corrects"])
    _move_along(installation, report, by=by, at=at, reason=reason)
    announce_case_change(site_id=installation.site_id, at=at)
    return report


def correct_go_live(
    *,
    report_id: int,
    submission_id: UUID,
    granted_date: date,
    source: str,
    reason: str,
    utility_reference: str = "",
    note: str = "",
    proofs: Sequence[CheckedProof] = (),
    by: Actor,
    at: datetime,
) -> GoLiveReport:
    """
    Put a new report in the place of the current one, which stays on file as corrected.

    It counts where a proof is on file, its own or that of the report it corrects; without one it waits for a second
    person like any other report.

    The same submission again gives the same correction.

    :raises InputRefused: with the problems by field
    :raises ReasonMissing: no reason
    :raises ReportNotCurrent: the report is not the current one any more
    :raises SubmissionDiffers: the submission id was used before with other contents
    """
    reason = check_reason(reason)
    installation_id = GoLiveReport.objects.values_list("installation_id", flat=True).get(pk=report_id)
    for proof in proofs:
        keep_proof(installation_id=installation_id, submission_id=submission_id, proof=proof, by=by, at=at)
    said = _Said(submission_id, granted_date, source, utility_reference.strip(), note.strip(), None, by, at)
    with transaction.atomic():
        report, installation = _locked(report_id)
        earlier = GoLiveReport.objects.filter(submission_id=submission_id).first()
        if earlier is not None:
            return _repeat(earlier, installation_id, said).report
        if report.status not in CURRENT_REPORT_STATUSES:
            raise ReportNotCurrent(
                f"Only the current report can be corrected; this one is closed: {report.get_status_display()}."
            )
        _check_said(said, installation)
        report.status, report.closing_reason = _S.CORRECTED, reason
        report.save(update_fields=["status", "closing_reason"])
        status = first_report_status(
            has_proof=_kept_proofs(installation, said).exists() or report.proofs.exists(),
            confirmation=settings.GO_LIVE_CONFIRMATION,
            by_office=True,
        )
        counts = status == _S.COUNTED
        if not counts and installation.status in LIVE_STATUSES:
            back = "withdraw_go_live" if installation.goes_live_by_pto else "withdraw_commissioning"
            take_move(installation, back, by=by, at=at, reason=reason)
        correction = _create(said, installation, status=status, corrects=report, confirmed=counts)
        record_event(installation, "correct_go_live", by=by, at=at, reason=reason)
        _compare_others(installation, correction)
        _move_along(installation, correction, by=by, at=at, reason=reason)
        announce_case_change(site_id=installation.site_id, at=at)
    return correction


@repeatable
def withdraw_go_live(*, report_id: int, reason: str, by: Actor, at: datetime) -> GoLiveReport:
    """
    Take a report back because it was wrong or the utility withdrew its permission.

    The current one takes the installation back with it; one kept beside it is only closed.

    :raises ReasonMissing: no reason
    :raises ReportNotCurrent: it was corrected or withdrawn meanwhile
    """
    reason = check_reason(reason)
    report, installation = _locked(report_id)
    if report.status in {_S.CORRECTED, _S.WITHDRAWN}:
        raise ReportNotCurrent(f"This report is closed already: {report.get_status_display()}.")
    was_current = report.status in CURRENT_REPORT_STATUSES
    report.status, report.closing_reason = _S.WITHDRAWN, reason
    report.save(update_fields=["status", "closing_reason"])
    if was_current and installation.status in LIVE_STATUSES:
        move = "withdraw_go_live" if installation.goes_live_by_pto else "withdraw_commissioning"
        take_move(installation, move, by=by, at=at, reason=reason)
    else:
        record_event(installation, "close_report", by=by, at=at, reason=reason)
    announce_case_change(site_id=installation.site_id, at=at)
    return report


@repeatable
def _report(installation_id: int, said: _Said) -> GoLiveOutcome:
    installation = Installation.objects.select_for_update(of=("self",)).select_related("site").get(pk=installation_id)
    earlier = GoLiveReport.objects.filter(submission_id=said.submission_id).first()
    if earlier is not None:
        return _repeat(earlier, installation_id, said)
    _check_said(said, installation)
    if installation.status == InstallationStatus.CANCELLED:
        raise MoveNotAllowed(subject=str(installation), move="report_go_live", status=installation.status)
    by_office = said.by.kind == ActorKind.STAFF
    status = first_report_status(
        has_proof=_kept_proofs(installation, said).exists(),
        confirmation=settings.GO_LIVE_CONFIRMATION,
        by_office=by_office,
    )
    current = current_report(installation.pk)
    confirmed = by_office and status == _S.COUNTED
    if current is None:
        report = _create(said, installation, status=status, confirmed=confirmed)
        _move_along(installation, report, by=said.by, at=said.at)
    elif current.granted_date != said.granted_date:
        report = _create(said, installation, status=_S.CONFLICTING, compared_with=current)
        record_event(
            installation,
            "report_conflicting_go_live",
            by=said.by,
            at=said.at,
            reason=f"{said.granted_date} against {current.granted_date} on file",
        )
    elif current.status == _S.AWAITING_OFFICE and status == _S.COUNTED:
        current.status = _S.AGREEING
        current.save(update_fields=["status"])
        report = _create(said, installation, status=status, confirmed=confirmed)
        _compare_others(installation, report)
        _move_along(installation, report, by=said.by, at=said.at)
    else:
        report = _create(said, installation, status=_S.AGREEING, compared_with=current)
        record_event(installation, "report_agreeing_go_live", by=said.by, at=said.at)
    announce_case_change(site_id=installation.site_id, at=said.at)
    return GoLiveOutcome(report=report, is_repeat=False)


def _repeat(earlier: GoLiveReport, installation_id: int, said: _Said) -> GoLiveOutcome:
    is_same = (
        earlier.installation_id == installation_id
        and earlier.reported_by == str(said.by)
        and earlier.granted_date == said.granted_date
        and earlier.source == said.source
        and earlier.utility_reference == said.utility_reference
        and earlier.note == said.note
    )
    if is_same:
        known = set(earlier.proofs.values_list("received_sha256", flat=True))
        late = KeptProof.objects.filter(submission_id=said.submission_id, kept_by=str(said.by))
        is_same = known.issuperset(late.values_list("received_sha256", flat=True))
        if is_same:
            late.delete()
    if not is_same:
        raise SubmissionDiffers(
            "This form was sent before with other contents, and what was sent first is kept. "
            "Open the job again and send a new report, or ask the office to correct the first one."
        )
    return GoLiveOutcome(report=earlier, is_repeat=True)


def _check_said(said: _Said, installation: Installation) -> None:
    check_input(
        granted_date=granted_date_problems(
            said.granted_date,
            today=chicago_day(said.at),
            contract_signed_date=installation.contract_signed_date,
        ),
        source=source_problems(said.source, kind=installation.kind),
        utility_reference=_longest(said.utility_reference, LONGEST_REFERENCE)
        or reference_problems(said.utility_reference, source=said.source),
        note=_longest(said.note, LONGEST_NOTE),
    )


def _longest(text: str, characters: int) -> tuple[str, ...]:
    return () if len(text) <= characters else (f"This may have at most {characters} characters.",)


def _locked(report_id: int) -> tuple[GoLiveReport, Installation]:
    installation_id = GoLiveReport.objects.values_list("installation_id", flat=True).get(pk=report_id)
    installation = Installation.objects.select_for_update(of=("self",)).select_related("site").get(pk=installation_id)
    return GoLiveReport.objects.get(pk=report_id), installation


def _create(
    said: _Said,
    installation: Installation,
    *,
    status: GoLiveReportStatus,
    confirmed: bool = False,
    corrects: GoLiveReport | None = None,
    compared_with: GoLiveReport | None = None,
) -> GoLiveReport:
    report = GoLiveReport.objects.create(
        installation=installation,
        submission_id=said.submission_id,
        granted_date=said.granted_date,
        source=said.source,
        utility_reference=said.utility_reference,
        note=said.note,
        status=status,
        reported_by=str(said.by),
        device_at=said.device_at,
        received_at=said.at,
        confirmed_by=str(said.by) if confirmed else "",
        confirmed_at=said.at if confirmed else None,
        corrects=corrects,
        compared_with=compared_with,
    )
    kept_proofs = _kept_proofs(installation, said)
    ProofFile.objects.bulk_create(
        ProofFile(report=report, **{name: getattr(kept, name) for name in PROOF_FIELDS}) for kept in kept_proofs
    )
    kept_proofs.delete()
    return report


def _kept_proofs(installation: Installation, said: _Said) -> models.QuerySet[KeptProof]:
    return KeptProof.objects.filter(installation=installation, submission_id=said.submission_id, kept_by=str(said.by))


def _put_aside(installation: Installation, *, in_favor_of: GoLiveReport, reason: str) -> None:
    """Close the current report, if there is one, as corrected by the one that the office chose."""
    current = current_report(installation.pk)
    if current is not None:
        current.status, current.closing_reason = _S.CORRECTED, reason
        current.save(update_fields=["status", "closing_reason"])
        in_favor_of.corrects = current
    in_favor_of.compared_with = None
    in_favor_of.save(update_fields=["corrects", "compared_with"])
    _compare_others(installation, in_favor_of)


def _compare_others(installation: Installation, current: GoLiveReport) -> None:
    """Say anew of the reports kept beside the current one whether they agree or conflict with it."""
    beside = GoLiveReport.objects.filter(installation=installation, status__in=[_S.AGREEING, _S.CONFLICTING]).exclude(
        pk=current.pk
    )
    agreeing = beside.filter(granted_date=current.granted_date)
    conflicting = beside.exclude(granted_date=current.granted_date)
    agreeing_keys, conflicting_keys = (
        list(agreeing.values_list("pk", flat=True)),
        list(conflicting.values_list("pk", flat=True)),
    )
    GoLiveReport.objects.filter(pk__in=agreeing_keys).update(status=_S.AGREEING, compared_with=current)
    GoLiveReport.objects.filter(pk__in=conflicting_keys).update(status=_S.CONFLICTING, compared_with=current)


def _move_along(installation: Installation, report: GoLiveReport, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Take the installation as far as its current report allows."""
    if installation.status not in LIVE_STATUSES:
        take_move(installation, "report_go_live", by=by, at=at, reason=reason)
    if report.status == _S.COUNTED and installation.status == InstallationStatus.PTO_REPORTED:
        take_move(installation, "confirm_go_live", by=by, at=at, reason=reason)
