from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q
from django.http import HttpRequest

from accounts.models import User
from accounts.staff_groups import TECHNICIANS_GROUP
from core.actors import Actor
from core.admin.buttons import Button, ButtonContext, ButtonForm
from core.admin.links import record_url
from core.admin.record_choices import RecordChoiceField, SearchSelect
from core.admin.records import AddableRecordAdmin, related_record_filter
from core.admin.tables import Cell, Table, display
from core.dates import short_date
from core.staff_formats import moment, name_actors
from installations import proofs
from installations.actions import (
    assign_technician,
    cancel_installation,
    move_installation,
    register_installation,
    report_go_live,
)
from installations.file_check_queue import FileChecksBusy
from installations.models import (
    Customer,
    GoLiveReport,
    GoLiveSource,
    HardwareKind,
    Installation,
    InstallationEvent,
    Site,
)
from installations.proofs import CheckedProof, InvalidProof
from installations.queries import conflicting_reports
from installations.states import MOVES, InstallationStatus


def technicians(*, also: int | None = None) -> Any:
    """Return the people who can be assigned a job: technicians, and the person who has it now."""
    chosen = Q(is_active=True, groups__name=TECHNICIANS_GROUP) | Q(pk=also)
    return User.objects.filter(chosen).distinct().order_by("username")


class InstallationForm(ButtonForm):
    customer = RecordChoiceField(
        Customer.objects.all(),
        widget=SearchSelect(Installation._meta.get_field("customer"), admin.site),
        help_text="Search by name, e-mail address or phone number.",
    )
    site = RecordChoiceField(
        Site.objects.all(),
        widget=SearchSelect(Installation._meta.get_field("site"), admin.site),
        help_text="Search by address or ESI ID.",
    )
    kind = forms.ChoiceField(label="Hardware", choices=HardwareKind.choices)
    size_kw = forms.DecimalField(label="Size, kW AC", required=False, max_digits=8, decimal_places=3)
    contract_signed_date = forms.DateField(
        label="Contract signed on",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The buyer's cancellation period starts here. Nothing is sent to Light until it is over.",
    )
    technician = RecordChoiceField(User.objects.none(), required=False)
    scheduled_date = forms.DateField(
        label="Scheduled for", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        technician = self.fields["technician"]
        assert isinstance(technician, forms.ModelChoiceField)  # noqa: S101 - tells the type checker, cannot fail
        technician.queryset = technicians()


class ScheduleForm(ButtonForm):
    scheduled_date = forms.DateField(label="Day of the work", widget=forms.DateInput(attrs={"type": "date"}))


class TechnicianForm(ButtonForm):
    technician = RecordChoiceField(User.objects.none(), required=False, empty_label="Nobody")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        technician = self.fields["technician"]
        assert isinstance(technician, forms.ModelChoiceField)  # noqa: S101 - tells the type checker, cannot fail
        technician.queryset = technicians(also=self.record.technician_id if self.record is not None else None)
        if self.record is not None:
            self.initial.setdefault("technician", self.record.technician)


class ReasonForm(ButtonForm):
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept with the record.")


class GoLiveForm(ButtonForm):
    submission_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    granted_date = forms.DateField(
        label="Granted on",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The date on the utility's letter, or the day of commissioning.",
    )
    source = forms.ChoiceField(choices=GoLiveSource.choices, label="How we know")
    utility_reference = forms.CharField(required=False, max_length=60, label="The utility's reference")
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    proof = forms.FileField(required=False, help_text="A photo or a PDF, if there is one.")

    def clean_proof(self) -> CheckedProof | None:
        upload = self.cleaned_data["proof"]
        if not isinstance(upload, UploadedFile):
            return None
        try:
            return proofs.check_proof(upload, name=upload.name or "proof", size_bytes=upload.size or 0)
        except (InvalidProof, FileChecksBusy) as refusal:
            raise forms.ValidationError(str(refusal)) from refusal


def with_proofs(answers: dict[str, Any]) -> dict[str, Any]:
    """Replace the form's optional `proof` with the `proofs` list that the actions take."""
    proof = answers.pop("proof")
    return {**answers, "proofs": [proof] if proof else []}


def _allows(move: str) -> Callable[[Any], bool]:
    def allowed(installation: Installation) -> bool:
        return installation.status in MOVES[move].sources

    return allowed


def _move(move: str, outcome: str) -> Callable[[ButtonContext], str]:
    def run(context: ButtonContext) -> str:
        move_installation(installation_id=context.record.pk, move=move, by=context.by, at=context.at, **context.answers)
        return outcome

    return run


def _assign(context: ButtonContext) -> str:
    technician = context.answers["technician"]
    assign_technician(
        installation_id=context.record.pk,
        technician_id=technician.pk if technician else None,
        by=context.by,
        at=context.at,
    )
    return f"Assigned to {technician}." if technician else "The job is now unassigned."


def _report(context: ButtonContext) -> str:
    outcome = report_go_live(
        installation_id=context.record.pk, by=context.by, at=context.at, **with_proofs(context.answers)
    )
    return f"Go-live report saved. Status: {outcome.report.get_status_display().lower()}."


def _cancel(context: ButtonContext) -> str:
    cancel_installation(installation_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The installation is canceled. Its case is checked again."


def _is_running(installation: Installation) -> bool:
    return installation.status != InstallationStatus.CANCELLED


@admin.register(Installation)
class InstallationAdmin(AddableRecordAdmin):
    list_display = ("__str__", "customer", "status", "technician", "scheduled_date")
    list_filter = ("status", "kind", related_record_filter("technician"), "scheduled_date")
    search_fields = (
        "customer__first_name__unaccented",
        "customer__last_name__unaccented",
        "site__address_1__unaccented",
        "site__esi_id",
    )
    list_select_related = ("site", "customer", "technician")
    fieldsets = (
        (None, {"fields": (("customer", "site"), ("kind", "size_kw"), ("status", "embargo"))}),
        ("The work", {"fields": (("technician", "scheduled_date"), ("contract_signed_date", "created_at"))}),
    )
    new_record_form = InstallationForm
    hidden_links = frozenset({"events", "reports"})
    buttons = (
        Button(
            name="schedule",
            label="Schedule",
            run=_move("schedule", "Scheduled."),
            explanation="Sets the date of the work. The technician sees it on their phone.",
            is_offered=_allows("schedule"),
            form=ScheduleForm,
        ),
        Button(
            name="assign",
            label="Assign a technician",
            run=_assign,
            explanation="The job appears on this technician's phone.",
            is_offered=_is_running,
            form=TechnicianForm,
        ),
        Button(
            name="install",
            label="Mark as installed",
            run=_move("install", "Marked as installed."),
            explanation="Records that the hardware is in place.",
            is_offered=_allows("install"),
        ),
        Button(
            name="inspect",
            label="Mark as inspected",
            run=_move("inspect", "Marked as inspected."),
            explanation="Records that the installation passed inspection.",
            is_offered=_allows("inspect"),
        ),
        Button(
            name="submit-interconnection",
            label="Mark interconnection as submitted",
            run=_move("submit_interconnection", "Marked as submitted to the utility."),
            explanation="Records that the interconnection application is with the utility.",
            is_offered=_allows("submit_interconnection"),
        ),
        Button(
            name="report-go-live",
            label="Report go-live",
            run=_report,
            explanation=(
                "Records the utility's permission to operate, or an EV charger's commissioning. When the other gates "
                "are open, the electricity plan is requested and accepted soon after."
            ),
            is_offered=_is_running,
            form=GoLiveForm,
            permission="installations.add_golivereport",
        ),
        Button(
            name="cancel",
            label="Cancel the installation",
            run=_cancel,
            explanation="Cancels the job. No plan will be accepted for it. This cannot be undone.",
            is_offered=_allows("cancel"),
            form=ReasonForm,
            is_grave=True,
        ),
    )

    @display(description="Buyer may cancel until")
    def embargo(self, installation: Installation) -> str:
        return short_date(installation.embargo_end_date) if installation.embargo_end_date else "No cancellation period"

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> Installation:
        chosen = {name: answers.pop(name) for name in ("customer", "site", "technician")}
        return register_installation(
            **answers,
            customer_id=chosen["customer"].pk,
            site_id=chosen["site"].pk,
            technician_id=chosen["technician"].pk if chosen["technician"] else None,
            by=by,
            at=at,
        )

    def header_context(self, _request: HttpRequest, record: Installation) -> dict[str, Any]:
        if not conflicting_reports(record.pk).exists():
            return {}
        return {"warnings": ["Two go-live reports have different dates. Open the right one below and confirm it."]}

    def tables_of(self, _request: HttpRequest, record: Installation) -> list[Table]:
        reports = list(record.reports.all())
        events = list(record.events.all())
        names = name_actors([*(each.reported_by for each in reports), *(each.actor for each in events)])
        return [
            Table(
                title="Go-live reports",
                shows=GoLiveReport,
                columns=("Granted on", "How we know", "Status", "Reported by", "Received"),
                rows=[
                    [
                        Cell(short_date(report.granted_date), record_url(report)),
                        Cell(report.get_source_display(), note=report.utility_reference),
                        Cell(report.get_status_display(), note=report.closing_reason),
                        Cell(names[report.reported_by]),
                        Cell(moment(report.received_at)),
                    ]
                    for report in reports
                ],
                empty="No report yet.",
            ),
            Table(
                title="History",
                shows=InstallationEvent,
                columns=("When", "What", "Who", "Why"),
                rows=[
                    [
                        Cell(moment(event.at)),
                        Cell(str(event), note=_stages(event.old_status, event.new_status)),
                        Cell(names[event.actor]),
                        Cell(event.reason or "—"),
                    ]
                    for event in events
                ],
            ),
        ]


def _stages(old: str, new: str) -> str:
    labels = dict(InstallationStatus.choices)
    return f"{labels.get(old, old)} → {labels.get(new, new)}" if old != new else ""
