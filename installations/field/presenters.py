"""Presenters for the technicians' pages."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from core.dates import long_date
from installations.actions.go_live_reports import GoLiveOutcome, GoLiveResult
from installations.models import GoLiveReport, Installation
from installations.states import GoLiveReportStatus, InstallationStatus

_S = InstallationStatus
_STATUS_LABELS = {
    _S.SOLD.value: ("Not scheduled yet", "quiet"),
    _S.SCHEDULED.value: ("Scheduled", "quiet"),
    _S.INSTALLED.value: ("Installed", "quiet"),
    _S.INSPECTED.value: ("Inspected", "quiet"),
    _S.INTERCONNECTION_SUBMITTED.value: ("Waiting for the utility", "due"),
    _S.PTO_REPORTED.value: ("Reported, being checked", "waiting"),
    _S.PTO_CONFIRMED.value: ("Done", "good"),
    _S.CANCELLED.value: ("Canceled", "quiet"),
}


@dataclass(frozen=True)
class JobPage:
    installation: Installation
    today: date

    @property
    def public_id(self) -> UUID:
        return self.installation.public_id

    @property
    def kind(self) -> str:
        return self.installation.get_kind_display()

    @property
    def size(self) -> str:
        size_kw = self.installation.size_kw
        return f"{size_kw.normalize():f} kW AC" if size_kw is not None else ""

    @property
    def street(self) -> str:
        site = self.installation.site
        return ", ".join(part for part in (site.address_1, site.address_2) if part)

    @property
    def town(self) -> str:
        site = self.installation.site
        return f"{site.city}, {site.state} {site.postal_code}"

    @property
    def customer_name(self) -> str:
        return str(self.installation.customer)

    @property
    def customer_phone(self) -> str:
        phone = self.installation.customer.phone
        return phone.as_national if phone else ""

    @property
    def customer_phone_link(self) -> str:
        phone = self.installation.customer.phone
        return phone.as_rfc3966 if phone else ""

    @property
    def esi_id(self) -> str:
        return self.installation.site.esi_id

    @property
    def day(self) -> str:
        scheduled = self.installation.scheduled_date
        if scheduled is None:
            return "Not scheduled"
        return f"Today, {long_date(scheduled)}" if scheduled == self.today else long_date(scheduled)

    @property
    def status_label(self) -> str:
        return _STATUS_LABELS[self.installation.status][0]

    @property
    def status_tone(self) -> str:
        return _STATUS_LABELS[self.installation.status][1]

    @property
    def is_done(self) -> bool:
        return self.installation.status in {_S.PTO_REPORTED, _S.PTO_CONFIRMED}

    @property
    def action_label(self) -> str:
        return "Report permission to operate (PTO)" if self.installation.goes_live_by_pto else "Report commissioning"


_OUTCOMES = {
    GoLiveResult.COUNTS: (
        "Report accepted",
        "good",
        "The enrollment continues automatically from here. There is nothing else for you to do.",
    ),
    GoLiveResult.AWAITING_OFFICE: (
        "Report received, being checked",
        "waiting",
        "The office checks your report before it counts. With a photo of the letter, it may count right away.",
    ),
    GoLiveResult.AGREES: (
        "Already reported",
        "good",
        "A report with the same date is already on file. Yours is kept as well.",
    ),
    GoLiveResult.CONFLICTS: (
        "Report received, but another date is on file",
        "problem",
        "Both reports are kept. The office decides which one is right.",
    ),
    GoLiveResult.CLOSED: (
        "The office closed this report",
        "waiting",
        "The report was corrected or withdrawn. Call the office if you have questions.",
    ),
}


@dataclass(frozen=True)
class ReportPage:
    report: GoLiveReport
    was_sent_before: bool = False

    @property
    def _outcome(self) -> tuple[str, str, str]:
        return _OUTCOMES[GoLiveOutcome(report=self.report, is_repeat=self.was_sent_before).result]

    @property
    def title(self) -> str:
        title = self._outcome[0]
        if not self.was_sent_before:
            return title
        if self.report.status == GoLiveReportStatus.COUNTED:
            return "Report already accepted"
        return f"Already sent: {title}"

    @property
    def tone(self) -> str:
        return self._outcome[1]

    @property
    def explanation(self) -> str:
        explanation = self._outcome[2]
        if self.was_sent_before:
            return f"You sent this report before. It counts once. {explanation}"
        return explanation

    @property
    def trigger(self) -> str:
        return "Permission to operate" if self.report.installation.goes_live_by_pto else "Commissioned"

    @property
    def granted_date(self) -> str:
        return long_date(self.report.granted_date)

    @property
    def source(self) -> str:
        return self.report.get_source_display()

    @property
    def utility_reference(self) -> str:
        return self.report.utility_reference

    @property
    def note(self) -> str:
        return self.report.note

    @property
    def status_label(self) -> str:
        return GoLiveReportStatus(self.report.status).label

    @property
    def proof_names(self) -> list[str]:
        return [proof.original_name for proof in self.report.proofs.all()]

    @property
    def received_at(self) -> datetime:
        return self.report.received_at
