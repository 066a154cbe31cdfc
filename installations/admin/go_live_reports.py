from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from core.admin.buttons import Button, ButtonContext, ButtonForm, ButtonResult
from core.admin.links import record_url
from core.admin.records import RecordAdmin
from core.admin.tables import Cell, Table, display
from core.dates import short_date
from installations.actions import confirm_go_live, correct_go_live, withdraw_go_live
from installations.admin.installations import GoLiveForm, ReasonForm, with_proofs
from installations.models import GoLiveReport
from installations.states import CURRENT_REPORT_STATUSES, GoLiveReportStatus

_S = GoLiveReportStatus


class ConfirmForm(ButtonForm):
    reason = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Required if this resolves a conflict: why is this report the right one?",
    )


class CorrectionForm(GoLiveForm):
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), help_text="What was wrong? Kept with the corrected report."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.record is not None:
            self.initial.setdefault("granted_date", self.record.granted_date)
            self.initial.setdefault("source", self.record.source)
            self.initial.setdefault("utility_reference", self.record.utility_reference)


def _confirm(context: ButtonContext) -> str:
    confirm_go_live(report_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "Confirmed. The case is checked again."


def _correct(context: ButtonContext) -> ButtonResult:
    correction = correct_go_live(
        report_id=context.record.pk, by=context.by, at=context.at, **with_proofs(context.answers)
    )
    text = f"Corrected to {short_date(correction.granted_date)}. The earlier report stays on file."
    if correction.status == _S.AWAITING_OFFICE:
        text = (
            f"Corrected to {short_date(correction.granted_date)}. There is no proof, so another person in the office "
            "must confirm it on its page before it counts."
        )
    return ButtonResult(text, correction)


def _withdraw(context: ButtonContext) -> str:
    withdraw_go_live(report_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "Withdrawn. The case is checked again."


@admin.register(GoLiveReport)
class GoLiveReportAdmin(RecordAdmin):
    list_display = ("granted_date", "installation", "source", "status", "received_at")
    list_filter = ("status", "source", "granted_date")
    search_fields = (
        "installation__customer__first_name__unaccented",
        "installation__customer__last_name__unaccented",
        "installation__site__esi_id",
        "installation__site__address_1__unaccented",
        "utility_reference",
    )
    list_select_related = ("installation__site",)
    fieldsets = (
        (None, {"fields": (("installation", "customer"), ("granted_date", "status"))}),
        ("How we know", {"fields": (("source", "utility_reference"), "note")}),
        ("Who and when", {"fields": (("reported_by", "received_at"), ("confirmed_by", "confirmed_at"), "device_at")}),
        ("Corrections and conflicts", {"fields": (("corrects", "closing_reason"), "compared_with")}),
    )
    buttons = (
        Button(
            name="confirm",
            label="Confirm",
            run=_confirm,
            explanation=(
                "Makes this report count. When the other gates are open, the electricity plan is requested and "
                "accepted soon after. In a conflict, the other report stays on file as corrected."
            ),
            is_offered=lambda report: report.status in {_S.AWAITING_OFFICE, _S.CONFLICTING},
            form=ConfirmForm,
        ),
        Button(
            name="correct",
            label="Correct",
            run=_correct,
            explanation=(
                "Replaces this report with a new one. This one stays on file. With a proof on file, the new report "
                "counts right away. Without one, another person must confirm it."
            ),
            is_offered=lambda report: report.status in CURRENT_REPORT_STATUSES,
            form=CorrectionForm,
        ),
        Button(
            name="withdraw",
            label="Withdraw",
            run=_withdraw,
            explanation=(
                "For a report that was wrong, or if the utility withdrew its permission. Before a plan is accepted, "
                "the case waits again. After that, nothing is undone automatically and the case needs attention."
            ),
            is_offered=lambda report: report.status not in {_S.CORRECTED, _S.WITHDRAWN},
            form=ReasonForm,
            is_grave=True,
        ),
    )

    @display(description="Customer")
    def customer(self, report: GoLiveReport) -> str:
        return str(report.installation.customer)

    def tables_of(self, _request: HttpRequest, record: GoLiveReport) -> list[Table]:
        others = record.installation.reports.exclude(pk=record.pk)
        return [
            Table(
                title="Other reports of this installation",
                shows=GoLiveReport,
                columns=("Granted on", "How we know", "Status"),
                rows=[
                    [
                        Cell(short_date(other.granted_date), record_url(other)),
                        Cell(other.get_source_display(), note=other.utility_reference),
                        Cell(other.get_status_display(), note=other.closing_reason),
                    ]
                    for other in others
                ],
                empty="None.",
            )
        ]
