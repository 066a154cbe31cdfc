from datetime import datetime
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import FileResponse, HttpRequest
from django.urls import reverse

from core import clock
from core.admin.buttons import Button, ButtonContext, ButtonForm
from core.admin.links import can_view, list_url, record_url
from core.admin.records import RecordAdmin, buttons_of
from core.admin.tables import Cell, Table, display
from core.dates import chicago_day, short_date
from core.downloads import streamed_file
from core.staff_formats import age, describe_details, moment, name_actors
from enrollments import presenters, queries
from enrollments.actions.account_reading import request_reading
from enrollments.actions.accounts import link_account
from enrollments.actions.adoption import adopt_acceptance
from enrollments.actions.closing import close_enrollment
from enrollments.actions.evidence_download import hand_out_evidence
from enrollments.actions.holds import (
    HoldNotOpen,
    record_leaving,
    release_hold,
)
from enrollments.actions.legal_holds import (
    lift_legal_hold,
    open_legal_hold,
    place_legal_hold,
)
from enrollments.actions.plan_documents import fetch_again
from enrollments.admin.hold_buttons import buttons_for, drafting_button
from enrollments.admin.holds import ReleaseForm, can_release
from enrollments.decision.decide import decide, decide_as_if_live
from enrollments.decision.steps import CONSENT_HOLDS
from enrollments.engine.gathering import gather, governing_poa
from enrollments.engine.wiring import hosted_pages_client, policy
from enrollments.evidence_pack.building import PackNotMade
from enrollments.evidence_pack.contents import RECORDS_IN_PACK
from enrollments.light.errors import LightError
from enrollments.models import Enrollment, Hold, LegalHoldKind, PlanDocument, PlanDocumentKind, PlanOffer, RemoteCall
from enrollments.states import SETTLED_STATUSES, EnrollmentStatus, HoldCode, LeavingReason
from installations.models import Installation
from installations.states import CURRENT_REPORT_STATUSES, GoLiveReportStatus
from poa_documents.admin.call_backs import CALL_BACK
from poa_documents.models import CustomerMail, EvidenceEntry, PoaDocument
from poa_documents.queries import failure_of, unsigned_poa_of

OFFERS_SHOWN = 6
MAILS_SHOWN = 30


class NextStepFilter(admin.SimpleListFilter):
    title = "next step"
    parameter_name = "next_step"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> list[tuple[str, str]]:
        steps = Enrollment.objects.exclude(next_step="").order_by("next_step").values_list("next_step", flat=True)
        return [(step, presenters.reason_label(step)) for step in steps.distinct()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Enrollment]) -> QuerySet[Enrollment] | None:
        return queryset.filter(next_step=self.value()) if self.value() else None


class CloseForm(ButtonForm):
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept with the case.")


class LegalHoldForm(ButtonForm):
    kind = forms.ChoiceField(choices=LegalHoldKind.choices)
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), help_text="Who asked for it, and about what. Kept with the case."
    )


class LiftForm(ButtonForm):
    reason = forms.CharField(
        label="Who decided to end it",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept with the case.",
    )


class LeavingForm(ButtonForm):
    left_reason = forms.ChoiceField(label="Why they left", choices=[("", "Choose one"), *LeavingReason.choices])
    win_back_note = forms.CharField(
        label="What could win them back",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What the customer said, and what you would offer. Kept with the case.",
    )


class LinkForm(ButtonForm):
    account_uuid = forms.UUIDField(label="Account at Light", help_text="Its UUID, from Light's dashboard.")
    reason = forms.CharField(
        label="How you know that it is the right account",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept with the case.",
    )


class AdoptForm(ButtonForm):
    accepted_date = forms.DateField(
        label="Date on which we accepted it",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="From the e-mail to the customer, or from the log.",
    )
    reason = forms.CharField(
        label="How you know that it was ours",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept with the case.",
    )


def has_customer_left(enrollment: Any) -> bool:
    hold = open_hold(enrollment)
    return hold is not None and hold.code == HoldCode.CUSTOMER_LEFT


def open_hold(enrollment: Enrollment) -> Hold | None:
    return enrollment.holds.filter(released_at__isnull=True).first()


def needs_account(enrollment: Any) -> bool:
    hold = open_hold(enrollment)
    return enrollment.light_account_uuid is None and hold is not None and hold.code == HoldCode.ACCOUNT_UNCLEAR


def can_be_adopted(enrollment: Any) -> bool:
    hold = open_hold(enrollment)
    return hold is not None and hold.code == HoldCode.SELF_ENROLLED


def lacks_documents(enrollment: Any) -> bool:
    stored = PlanDocument.objects.filter(offer=enrollment.accepted_offer, stored_at__isnull=False)
    return enrollment.accepted_offer_id is not None and stored.count() < len(PlanDocumentKind)


def _link(context: ButtonContext) -> str:
    account_uuid = str(context.answers["account_uuid"])
    link_account(
        enrollment_id=context.record.pk,
        account_uuid=account_uuid,
        reason=context.answers["reason"],
        light=hosted_pages_client(),
        by=context.by,
        at=context.at,
    )
    return "The account is linked, and the case continues with it."


def _adopt(context: ButtonContext) -> str:
    attempt = adopt_acceptance(enrollment_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return f"The acceptance of {attempt.offer} from {short_date(attempt.service_start_date)} is recorded, and "


"the case continues."


def _look_now(context: ButtonContext) -> str:
    request_reading(enrollment_id=context.record.pk, at=context.at)
    return "The case is being checked now; reload in a few seconds."


def _release(context: ButtonContext) -> str:
    hold = open_hold(context.record)
    if hold is None:
        raise HoldNotOpen("Someone else has already released the hold.")
    release_hold(hold_id=hold.pk, by=context.by, at=context.at, **context.answers)
    return "The hold is released; the case is being decided again."


def _record_leaving(context: ButtonContext) -> str:
    record_leaving(enrollment_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The reason is recorded."


def _fetch_documents(context: ButtonContext) -> str:
    count = fetch_again(enrollment_id=context.record.pk, at=context.at)
    return f"Documents being fetched: {count}. Reload in a few seconds."


def _evidence(context: ButtonContext) -> FileResponse:
    pack = hand_out_evidence(enrollment_id=context.record.pk, by=context.by, at=context.at)
    return streamed_file(pack.file, name=pack.name, content_type="application/zip")


def _place_legal_hold(context: ButtonContext) -> str:
    place_legal_hold(enrollment_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "Nothing in this case is destroyed until the legal hold ends."


def _lift_legal_hold(context: ButtonContext) -> str:
    lift_legal_hold(enrollment_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The legal hold is over; the usual retention rules apply again."


def _close(context: ButtonContext) -> str:
    close_enrollment(enrollment_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The case is closed."


@admin.register(Enrollment)
class EnrollmentAdmin(RecordAdmin):
    change_form_template = "admin/enrollments/case.html"
    list_display = ("__str__", "customer", "site", "status", "next_step_in_words", "whose_turn", "due_at", "opened_at")
    list_filter = ("status", "whose_turn", NextStepFilter, "left_reason", "opened_at")
    search_fields = (
        "customer__first_name__unaccented",
        "customer__last_name__unaccented",
        "customer__email",
        "site__esi_id",
        "site__address_1__unaccented",
        "light_account_uuid",
    )
    list_select_related = ("customer", "site")
    fieldsets = (
        (None, {"fields": (("customer", "site"), ("status", "opened_at"))}),
        (
            "At Light",
            {
                "fields": (
                    ("light_account_uuid", "status_at_light"),
                    ("light_status_since", "last_read_at"),
                    "attestation",
                )
            },
        ),
        (
            "Acceptance",
            {
                "fields": (
                    ("accepted_offer", "service_start_date"),
                    ("accepted_at", "finalized_at", "active_at"),
                    ("service_end_date", "ended_at", "ended_because"),
                    ("left_reason", "win_back_note"),
                )
            },
        ),
        (
            "Processing",
            {
                "fields": (
                    ("due_at", "lease_until", "calls_not_before"),
                    ("failures", "calls_failed", "last_error"),
                    "light_account",
                ),
                "classes": ("collapse",),
            },
        ),
    )
    hidden_links = frozenset({"events", "remote_calls"})
    buttons = (
        Button(
            name="look-now",
            label="Check now",
            run=_look_now,
            explanation="Reads the account at Light and decides the case now instead of at the next due time.",
            is_offered=lambda enrollment: enrollment.status not in SETTLED_STATUSES,
            is_direct=True,
        ),
        Button(
            name="release",
            label="Release the hold",
            run=_release,
            explanation=(
                "Confirms that the reason was dealt with. The case is decided again at once; if the reason is still "
                "there, it is blocked again."
            ),
            is_offered=lambda enrollment: can_release(open_hold(enrollment)),
            form=ReleaseForm,
        ),
        CALL_BACK,
        Button(
            name="record-leaving",
            label="Record why they left",
            run=_record_leaving,
            explanation=(
                "Records the reason and what could win the customer back, and ends the hold. It does not change the "
                "service."
            ),
            is_offered=has_customer_left,
            form=LeavingForm,
        ),
        Button(
            name="link-account",
            label="Link an account at Light",
            run=_link,
            explanation=(
                "Sets which account at Light belongs to this customer. The account is read first: it must have the "
                "customer's e-mail address and must not belong to another case."
            ),
            outages=(LightError,),
            is_offered=needs_account,
            form=LinkForm,
        ),
        Button(
            name="adopt",
            label="Adopt our acceptance",
            run=_adopt,
            explanation=(
                "After a restore: confirms that we accepted the plan that Light shows. It must be one that Light "
                "offered for this case, within the signed limits. Nothing is sent to Light."
            ),
            is_offered=can_be_adopted,
            form=AdoptForm,
        ),
        Button(
            name="evidence",
            label="Download the evidence pack",
            run=_evidence,
            explanation=(
                "Downloads everything on record about this case as a ZIP file that can be verified independently. The "
                "download is logged."
            ),
            outages=(PackNotMade,),
            is_direct=True,
            shows=RECORDS_IN_PACK,
        ),
        Button(
            name="fetch-documents",
            label="Fetch the plan's documents",
            run=_fetch_documents,
            explanation="Fetches the documents of the accepted plan that are not stored yet.",
            is_offered=lacks_documents,
            is_direct=True,
        ),
        Button(
            name="legal-hold",
            label="Keep for a dispute",
            run=_place_legal_hold,
            explanation="Keeps everything in this case, however old, until someone ends the legal hold.",
            is_offered=lambda enrollment: open_legal_hold(enrollment.pk) is None,
            form=LegalHoldForm,
        ),
        Button(
            name="lift-legal-hold",
            label="End the legal hold",
            run=_lift_legal_hold,
            explanation="Confirms that the evidence is no longer needed. The usual retention rules apply again.",
            is_offered=lambda enrollment: open_legal_hold(enrollment.pk) is not None,
            form=LiftForm,
            is_grave=True,
        ),
        Button(
            name="close",
            label="Close the case",
            run=_close,
            explanation="Ends the case. No plan will be accepted for it. This cannot be undone.",
            is_offered=lambda enrollment: enrollment.status == EnrollmentStatus.OPEN,
            form=CloseForm,
            is_grave=True,
        ),
    )

    @display(description="Next", ordering="next_step")
    def next_step_in_words(self, enrollment: Any) -> str:
        if enrollment.hold_code:
            return f"Blocked: {presenters.reason_label(enrollment.hold_code)}"
        return presenters.reason_label(enrollment.next_step)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Enrollment]":
        held = Hold.objects.filter(enrollment=OuterRef("pk"), released_at__isnull=True)
        cases: QuerySet[Enrollment] = super().get_queryset(request)
        return cases.annotate(hold_code=Subquery(held.values("code")[:1]))

    @display(description="Light's status")
    def status_at_light(self, enrollment: Enrollment) -> str:
        return presenters.status_at_light(enrollment)

    @display(description="Our attestation")
    def attestation(self, enrollment: Enrollment) -> str:
        if enrollment.attested_at is None:
            return "Not confirmed by Light yet"
        return f"{moment(enrollment.attested_at)}, under {enrollment.attested_poa}"

    def state_of(self, record: Enrollment) -> str:
        """Include the open hold, so that a release meant for one hold cannot release the next one."""
        hold = open_hold(record)
        status = str(record.get_status_display())
        return f"{status}, held: {hold.get_code_display()}" if hold else status

    def header_context(self, request: HttpRequest, record: Enrollment) -> dict[str, Any]:
        now = clock.now()
        hold = open_hold(record)
        context: dict[str, Any] = {
            "gates": presenters.stored_gate_views(record.gates),
            "next_step": presenters.stored_step_view(record, hold, now=now),
            "beside": _related_records(record, request),
            "timeline": _timeline(record, request),
            "timeline_length": queries.TIMELINE_LENGTH,
            "offers": _offers(record, now=now) if can_view(request, PlanOffer) else [],
            "calls_url": list_url(RemoteCall, enrollment=record),
        }
        if hold is not None:
            of_same_reason = list(record.holds.filter(code=hold.code).order_by("since"))
            context["hold"] = {
                "title": hold.get_code_display(),
                "because": hold.because,
                "age": age(of_same_reason[0].since, now),
                "released": presenters.times_released(len(of_same_reason) - 1),
                "url": record_url(hold),
                "is_consent": hold.code in CONSENT_HOLDS,
                "buttons": buttons_for(HoldCode(hold.code), record, request),
            }
        return context | _if_live_today(record, now=now)

    def tables_of(self, _request: HttpRequest, record: Enrollment) -> list[Table]:
        return [_authority_table(record), _jobs_table(record), _documents_table(record), _mails_table(record)]


def _if_live_today(enrollment: Enrollment, *, now: datetime) -> dict[str, Any]:
    """Return the preview of what a go-live today would change. It is the only thing on the page that is not stored."""
    if enrollment.status != EnrollmentStatus.OPEN:
        return {}
    rules, facts = policy(), gather(enrollment, governing_poa(enrollment))
    if facts.go_live.counted_date is not None:
        return {}
    live = decide_as_if_live(chicago_day(now), facts, now=now, policy=rules)
    return {
        "if_live_today": presenters.next_step_view(live, due_at=None, now=now),
        "same_if_live_today": live == decide(facts, now=now, policy=rules),
    }


def _related_records(enrollment: Enrollment, request: HttpRequest) -> list[dict[str, Any]]:
    """Return the records that decide this case, in the order of the gates, with their buttons."""
    back = record_url(enrollment)
    poa = governing_poa(enrollment)
    jobs = list(enrollment.installations.select_related("site").prefetch_related("reports"))
    reports = [
        report
        for job in jobs
        for report in job.reports.all()
        if report.status in CURRENT_REPORT_STATUSES or report.status == GoLiveReportStatus.CONFLICTING
    ]
    failure = failure_of(enrollment.customer)
    found = [
        *(
            [{"record": Cell(str(failure), record_url(failure)), "buttons": buttons_of(failure, request, back=back)}]
            if failure
            else []
        ),
        *(
            {"record": Cell(str(each), record_url(each)), "buttons": buttons_of(each, request, back=back)}
            for each in dict.fromkeys(filter(None, (unsigned_poa_of(enrollment.site_id), poa)))
        ),
        *(
            {
                "record": Cell(f"Go-live report of {short_date(report.granted_date)}", record_url(report)),
                "buttons": buttons_of(report, request, back=back),
            }
            for report in reports
        ),
        *({"record": Cell(str(job), record_url(job)), "buttons": buttons_of(job, request, back=back)} for job in jobs),
        {
            "record": Cell(str(enrollment.customer), record_url(enrollment.customer)),
            "buttons": buttons_of(enrollment.customer, request, back=back),
        },
    ]
    found.insert(0, {"record": Cell("Power of attorney"), "buttons": drafting_button(enrollment, request)})
    return [each for each in found if each["buttons"]]


def _authority_table(enrollment: Enrollment) -> Table:
    return Table(
        title="Powers of attorney for this customer and site",
        shows=PoaDocument,
        columns=("Document", "Status", "Plan", "Signed", "Sunset"),
        rows=[
            [
                Cell(str(poa), record_url(poa)),
                Cell(poa.get_status_display(), note=poa.ended_because),
                Cell(poa.envelope.plan_name, record_url(poa.envelope)),
                Cell(moment(poa.signed_at)),
                Cell(short_date(poa.envelope.sunset_date)),
            ]
            for poa in queries.poas_of(enrollment)
        ],
        empty="None yet",
    )


def _jobs_table(enrollment: Enrollment) -> Table:
    return Table(
        title="Installations",
        shows=Installation,
        columns=("Hardware", "Status", "Go-live"),
        rows=[
            [
                Cell(job.get_kind_display(), record_url(job)),
                Cell(job.get_status_display()),
                Cell(
                    ", ".join(
                        f"{short_date(report.granted_date)}: {report.get_status_display().lower()}"
                        for report in job.reports.all()
                    )
                    or "Not reported"
                ),
            ]
            for job in enrollment.installations.select_related("site").prefetch_related("reports")
        ],
    )


def _documents_table(enrollment: Enrollment) -> Table:
    return Table(
        title="Plan documents",
        shows=PlanDocument,
        columns=("Document", "Plan", "Stored", "Problem"),
        rows=[
            [
                Cell(document.get_kind_display(), record_url(document)),
                Cell(str(document.offer)),
                Cell(moment(document.stored_at), note=document.sha256),
                Cell(document.last_error or "—"),
            ]
            for document in PlanDocument.objects.filter(offer__enrollment=enrollment).select_related("offer")
        ],
        empty="They are fetched once a plan is accepted.",
    )


def _mails_table(enrollment: Enrollment) -> Table:
    mails = list(queries.mails_of(enrollment)[: MAILS_SHOWN + 1])
    return Table(
        title="Mails to the customer",
        shows=CustomerMail,
        columns=("Mail", "State", "Created", "Sent"),
        rows=[
            [
                Cell(mail.get_kind_display(), record_url(mail)),
                Cell(mail.state.label, note=mail.last_error[:120], tone="bad" if mail.is_in_trouble else ""),
                Cell(moment(mail.created_at)),
                Cell(moment(mail.sent_at), note=mail.sent_to),
            ]
            for mail in mails[:MAILS_SHOWN]
        ],
        empty="None yet",
        more_url=f"{reverse('admin:poa_documents_customermail_changelist')}?q={quote(enrollment.customer.email)}"
        if len(mails) > MAILS_SHOWN
        else "",
    )


def _offers(enrollment: Enrollment, *, now: Any) -> list[dict[str, Any]]:
    """Return the newest offers compared with the signed limits; the accepted one first."""
    offers = list(enrollment.offers.order_by("-requested_at", "pk")[:OFFERS_SHOWN])
    offers.sort(key=lambda offer: offer.pk != enrollment.accepted_offer_id)
    return [
        {
            "name": str(offer),
            "failed_limits": presenters.failed_limits(offer),
            "table": presenters.verdict_table(offer, url=record_url(offer)),
            "asked": moment(offer.requested_at),
            "fits": offer.fits,
            "is_accepted": offer.pk == enrollment.accepted_offer_id,
            "is_stale": offer.stale_at <= now,
            "stale_at": moment(offer.stale_at),
        }
        for offer in offers
    ]


def _timeline(enrollment: Enrollment, request: HttpRequest) -> list[dict[str, str]]:
    entries = [entry for entry in queries.timeline(enrollment) if can_view(request, type(entry.record))]
    names = name_actors(entry.actor for entry in entries)
    return [
        {
            "at": moment(entry.at),
            "kind": entry.kind.value,
            "what": entry.what,
            "who": names[entry.actor],
            "detail": _timeline_detail(entry),
            "url": record_url(entry.record),
        }
        for entry in entries
    ]


def _timeline_detail(entry: queries.TimelineEntry) -> str:
    if isinstance(entry.record, EvidenceEntry):
        return describe_details(entry.record.details, leave_out=("sha256", "_key", "ip_address"))
    return entry.detail
