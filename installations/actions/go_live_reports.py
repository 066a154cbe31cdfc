"""Report, confirm, correct and withdraw go-live. Reports are never overwritten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from django.db import IntegrityError, models, transaction

from core.actors import Actor, ActorKind, is_same_person
from core.case_changes import announce_case_change
from core.company_rules import current_rules
from core.dates import chicago_day, short_date
from core.errors import check_input, check_reason
from core.moves import MoveNotAllowed
from core.transactions import repeatable
from installations import proofs as proof_files
from installations.go_live import (
    first_report_status,
    granted_date_problems,
    plausible_device_time,
    reference_problems,
    source_problems,
)
from installations.guards import ReportNotCurrent, SecondPersonRequired, SubmissionIdReused
from installations.models import GoLiveReport, Installation, KeptProof, ProofFile
from installations.moves import record_event, take_move
from installations.proofs import CheckedProof
from installations.queries import current_report
from installations.states import CURRENT_REPORT_STATUSES, LIVE_STATUSES, GoLiveReportStatus, InstallationStatus

_S = GoLiveReportStatus
MAX_REFERENCE_LENGTH = 60
MAX_NOTE_LENGTH = 4000
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
    """The outcome of one submission."""

    COUNTS = "COUNTS"
    AWAITING_OFFICE = "AWAITING_OFFICE"
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
            _S.AWAITING_OFFICE.value: GoLiveResult.AWAITING_OFFICE,
            _S.AGREEING.value: GoLiveResult.AGREES,
            _S.CONFLICTING.value: GoLiveResult.CONFLICTS,
        }.get(self.report.status, GoLiveResult.CLOSED)


@dataclass(frozen=True)
class _Submission:
    """The fields of a submitted report, stripped of surrounding spaces."""

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
    Store a proof before the rest of the form is validated, so that an invalid date does not lose the photo.

    The same file of the same form is stored once. `report_go_live` with that submission ID attaches it to the report.
    """
    known = KeptProof.objects.filter(
        submission_id=submission_id, kept_by=str(by), received_sha256=proof.received_sha256
    )
    if found := known.first():
        return found
    kept = KeptProof(installation_id=installation_id, submission_id=submission_id, kept_by=str(by), kept_at=at)
    proof_files.store_proof(kept, proof)
    try:
        with transaction.atomic():
            kept.save()
    except IntegrityError:  # a concurrent request with the same form stored it first, and may have attached it already
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
    Record the utility's permission to operate, or an EV charger's commissioning, and reconsider the case.

    `granted_date` is a Chicago calendar day. Repeating a submission, even concurrently, counts once and returns the
    first outcome. If another report is current, the new one is stored as conflicting when the dates differ and as
    agreeing when they match. An agreeing report replaces the current one when only the new one can count.

    :raises InvalidInput: with the problems by field
    :raises SubmissionIdReused: the submission ID was used before with different contents
    :raises MoveNotAllowed: the installation is canceled
    """
    for proof in proofs:
        keep_proof(installation_id=installation_id, submission_id=submission_id, proof=proof, by=by, at=at)
    noted_at = plausible_device_time(device_at)
    submission = _Submission(
        submission_id, granted_date, source, utility_reference.strip(), note.strip(), noted_at, by, at
    )
    try:
        return _record_report(installation_id, submission)
    except IntegrityError:
        earlier = GoLiveReport.objects.filter(submission_id=submission_id).first()
        if earlier is None:
            raise
        return _repeated_outcome(earlier, installation_id, submission)


@repeatable
def confirm_go_live(*, report_id: int, by: Actor, at: datetime, reason: str = "") -> GoLiveReport:
    """
    Confirm a waiting report, or resolve a conflict in favor of this report, which then corrects the other one.

    Does nothing if the report counts already.

    :raises SecondPersonRequired: the same person reported it
    :raises ReportNotCurrent: it was corrected or withdrawn, or only agrees with another report
    :raises ReasonMissing: a conflict is resolved without a reason
    """
    report, installation = _lock_report(report_id)
    if report.status == _S.COUNTED:
        return report
    if report.status not in {_S.AWAITING_OFFICE, _S.CONFLICTING}:
        raise ReportNotCurrent(
            f"This report can no longer be confirmed: {report.get_status_display().lower()}. Reload the page."
        )
    if is_same_person(report.reported_by, str(by)):
        raise SecondPersonRequired
    if report.status == _S.CONFLICTING:
        reason = check_reason(reason)
        _supersede_current(installation, in_favor_of=report, reason=reason)
    report.status = _S.COUNTED
    report.confirmed_by, report.confirmed_at = str(by), at
    report.save(update_fields=["status", "confirmed_by", "confirmed_at", "corrects"])
    _advance_installation(installation, report, by=by, at=at, reason=reason)
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
    Replace the current report with a new one. The old report stays on file as corrected.

    The correction counts at once if it or the report it corrects has a proof. Otherwise a second person must confirm
    it. Repeating a submission returns the same correction.

    :raises InvalidInput: with the problems by field
    :raises ReasonMissing: no reason
    :raises ReportNotCurrent: the report is no longer the current one
    :raises SubmissionIdReused: the submission ID was used before with different contents
    """
    reason = check_reason(reason)
    installation_id = GoLiveReport.objects.values_list("installation_id", flat=True).get(pk=report_id)
    for proof in proofs:
        keep_proof(installation_id=installation_id, submission_id=submission_id, proof=proof, by=by, at=at)
    submission = _Submission(submission_id, granted_date, source, utility_reference.strip(), note.strip(), None, by, at)
    with transaction.atomic():
        report, installation = _lock_report(report_id)
        earlier = GoLiveReport.objects.filter(submission_id=submission_id).first()
        if earlier is not None:
            return _repeated_outcome(earlier, installation_id, submission).report
        if report.status not in CURRENT_REPORT_STATUSES:
            raise ReportNotCurrent(
                f"Only the current report can be corrected. This one: {report.get_status_display().lower()}."
            )
        _check_submission(submission, installation)
        report.status, report.closing_reason = _S.CORRECTED, reason
        report.save(update_fields=["status", "closing_reason"])
        status = first_report_status(
            has_proof=_kept_proofs(installation, submission).exists() or report.proofs.exists(),
            confirmation=current_rules().go_live_confirmation,
            by_office=True,
        )
        counts = status == _S.COUNTED
        if not counts and installation.status in LIVE_STATUSES:
            back = "withdraw_go_live" if installation.goes_live_by_pto else "withdraw_commissioning"
            take_move(installation, back, by=by, at=at, reason=reason)
        correction = _create_report(submission, installation, status=status, corrects=report, confirmed=counts)
        record_event(installation, "correct_go_live", by=by, at=at, reason=reason)
        _recompare_others(installation, correction)
        _advance_installation(installation, correction, by=by, at=at, reason=reason)
        announce_case_change(site_id=installation.site_id, at=at)
    return correction


@repeatable
def withdraw_go_live(*, report_id: int, reason: str, by: Actor, at: datetime) -> GoLiveReport:
    """
    Withdraw a report because it was wrong or the utility withdrew its permission.

    Withdrawing the current report moves the installation back. Any other report is only closed.

    :raises ReasonMissing: no reason
    :raises ReportNotCurrent: it was corrected or withdrawn before
    """
    reason = check_reason(reason)
    report, installation = _lock_report(report_id)
    if report.status in {_S.CORRECTED, _S.WITHDRAWN}:
        raise ReportNotCurrent(f"This report is already closed: {report.get_status_display().lower()}.")
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
def _record_report(installation_id: int, submission: _Submission) -> GoLiveOutcome:
    installation = Installation.objects.select_for_update(of=("self",)).select_related("site").get(pk=installation_id)
    earlier = GoLiveReport.objects.filter(submission_id=submission.submission_id).first()
    if earlier is not None:
        return _repeated_outcome(earlier, installation_id, submission)
    _check_submission(submission, installation)
    if installation.status == InstallationStatus.CANCELLED:
        raise MoveNotAllowed(subject=str(installation), move="report_go_live", status=installation.status)
    by_office = submission.by.kind == ActorKind.STAFF
    status = first_report_status(
        has_proof=_kept_proofs(installation, submission).exists(),
        confirmation=current_rules().go_live_confirmation,
        by_office=by_office,
    )
    current = current_report(installation.pk)
    confirmed = by_office and status == _S.COUNTED
    if current is None:
        report = _create_report(submission, installation, status=status, confirmed=confirmed)
        _advance_installation(installation, report, by=submission.by, at=submission.at)
    elif current.granted_date != submission.granted_date:
        report = _create_report(submission, installation, status=_S.CONFLICTING, compared_with=current)
        record_event(
            installation,
            "report_conflicting_go_live",
            by=submission.by,
            at=submission.at,
            reason=f"{short_date(submission.granted_date)} reported, {short_date(current.granted_date)} on file",
        )
    elif current.status == _S.AWAITING_OFFICE and status == _S.COUNTED:
        current.status = _S.AGREEING
        current.save(update_fields=["status"])
        report = _create_report(submission, installation, status=status, confirmed=confirmed)
        _recompare_others(installation, report)
        _advance_installation(installation, report, by=submission.by, at=submission.at)
    else:
        report = _create_report(submission, installation, status=_S.AGREEING, compared_with=current)
        record_event(installation, "report_agreeing_go_live", by=submission.by, at=submission.at)
    announce_case_change(site_id=installation.site_id, at=submission.at)
    return GoLiveOutcome(report=report, is_repeat=False)


def _repeated_outcome(earlier: GoLiveReport, installation_id: int, submission: _Submission) -> GoLiveOutcome:
    is_same = (
        earlier.installation_id == installation_id
        and earlier.reported_by == str(submission.by)
        and earlier.granted_date == submission.granted_date
        and earlier.source == submission.source
        and earlier.utility_reference == submission.utility_reference
        and earlier.note == submission.note
    )
    if is_same:
        known = set(earlier.proofs.values_list("received_sha256", flat=True))
        late = KeptProof.objects.filter(submission_id=submission.submission_id, kept_by=str(submission.by))
        is_same = known.issuperset(late.values_list("received_sha256", flat=True))
        if is_same:
            late.delete()
    if not is_same:
        raise SubmissionIdReused(
            "This form was already sent with different answers, and the first ones were kept. "
            "Open the job again and send a new report, or ask the office to correct the first one."
        )
    return GoLiveOutcome(report=earlier, is_repeat=True)


def _check_submission(submission: _Submission, installation: Installation) -> None:
    check_input(
        granted_date=granted_date_problems(
            submission.granted_date,
            today=chicago_day(submission.at),
            contract_signed_date=installation.contract_signed_date,
        ),
        source=source_problems(submission.source, kind=installation.kind),
        utility_reference=_length_problems(submission.utility_reference, MAX_REFERENCE_LENGTH)
        or reference_problems(submission.utility_reference, source=submission.source),
        note=_length_problems(submission.note, MAX_NOTE_LENGTH),
    )


def _length_problems(text: str, max_length: int) -> tuple[str, ...]:
    return () if len(text) <= max_length else (f"Use at most {max_length} characters.",)


def _lock_report(report_id: int) -> tuple[GoLiveReport, Installation]:
    installation_id = GoLiveReport.objects.values_list("installation_id", flat=True).get(pk=report_id)
    installation = Installation.objects.select_for_update(of=("self",)).select_related("site").get(pk=installation_id)
    return GoLiveReport.objects.get(pk=report_id), installation


def _create_report(
    submission: _Submission,
    installation: Installation,
    *,
    status: GoLiveReportStatus,
    confirmed: bool = False,
    corrects: GoLiveReport | None = None,
    compared_with: GoLiveReport | None = None,
) -> GoLiveReport:
    report = GoLiveReport.objects.create(
        installation=installation,
        submission_id=submission.submission_id,
        granted_date=submission.granted_date,
        source=submission.source,
        utility_reference=submission.utility_reference,
        note=submission.note,
        status=status,
        reported_by=str(submission.by),
        device_at=submission.device_at,
        received_at=submission.at,
        confirmed_by=str(submission.by) if confirmed else "",
        confirmed_at=submission.at if confirmed else None,
        corrects=corrects,
        compared_with=compared_with,
    )
    kept_proofs = _kept_proofs(installation, submission)
    ProofFile.objects.bulk_create(
        ProofFile(report=report, **{name: getattr(kept, name) for name in PROOF_FIELDS}) for kept in kept_proofs
    )
    kept_proofs.delete()
    return report


def _kept_proofs(installation: Installation, submission: _Submission) -> models.QuerySet[KeptProof]:
    return KeptProof.objects.filter(
        installation=installation, submission_id=submission.submission_id, kept_by=str(submission.by)
    )


def _supersede_current(installation: Installation, *, in_favor_of: GoLiveReport, reason: str) -> None:
    """Close the current report, if any, as corrected by the one that the office chose."""
    current = current_report(installation.pk)
    if current is not None:
        current.status, current.closing_reason = _S.CORRECTED, reason
        current.save(update_fields=["status", "closing_reason"])
        in_favor_of.corrects = current
    in_favor_of.compared_with = None
    in_favor_of.save(update_fields=["corrects", "compared_with"])
    _recompare_others(installation, in_favor_of)


def _recompare_others(installation: Installation, current: GoLiveReport) -> None:
    """Mark each other open report as agreeing or conflicting with the current one."""
    others = GoLiveReport.objects.filter(installation=installation, status__in=[_S.AGREEING, _S.CONFLICTING]).exclude(
        pk=current.pk
    )
    agreeing = others.filter(granted_date=current.granted_date)
    conflicting = others.exclude(granted_date=current.granted_date)
    agreeing_keys, conflicting_keys = (
        list(agreeing.values_list("pk", flat=True)),
        list(conflicting.values_list("pk", flat=True)),
    )
    GoLiveReport.objects.filter(pk__in=agreeing_keys).update(status=_S.AGREEING, compared_with=current)
    GoLiveReport.objects.filter(pk__in=conflicting_keys).update(status=_S.CONFLICTING, compared_with=current)


def _advance_installation(
    installation: Installation, report: GoLiveReport, *, by: Actor, at: datetime, reason: str = ""
) -> None:
    """Move the installation as far as its current report allows."""
    if installation.status not in LIVE_STATUSES:
        take_move(installation, "report_go_live", by=by, at=at, reason=reason)
    if report.status == _S.COUNTED and installation.status == InstallationStatus.PTO_REPORTED:
        take_move(installation, "confirm_go_live", by=by, at=at, reason=reason)
