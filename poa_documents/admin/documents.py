import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from core import stored_files
from core.actors import Actor
from core.admin.buttons import Button, ButtonContext, ButtonForm
from core.admin.links import record_url
from core.admin.record_choices import RecordChoiceField, SearchSelect
from core.admin.records import AddableRecordAdmin
from core.admin.tables import Cell, Table, display
from core.dates import chicago_day
from core.downloads import file_response
from core.staff_formats import describe_details, moment, name_actors
from core.stored_files import FileAltered, FileNotStored, StoredFile
from installations.file_check_queue import FileChecksBusy
from installations.models import Customer, Language, Site
from installations.proofs import SUFFIXES, CheckedProof, InvalidProof, check_proof
from poa_documents.actions import (
    confirm_paper,
    draft_poa,
    print_for_paper,
    record_paper,
    record_stop_signal,
    refuse_paper,
    resume_poa,
    revoke_poa,
    send_poa,
    suspend_poa,
    void_poa,
    withdraw_econsent,
)
from poa_documents.actions.drafts import STATUSES_WITH_PAGE
from poa_documents.actions.paper import received_scan_file, scan_file
from poa_documents.admin.call_backs import CALL_BACK
from poa_documents.journal import chain
from poa_documents.limits import limit_lines
from poa_documents.models import (
    ConsentRecord,
    CustomerMail,
    Envelope,
    EvidenceEntry,
    PlanPromise,
    PoaDocument,
    RevocationChannel,
    StopKind,
)
from poa_documents.states import ELECTRONIC_STATUSES, MOVES, PoaStatus

logger = logging.getLogger(__name__)

EVIDENCE_SHOWN = 100
_STAFF_CHANNELS = [choice for choice in RevocationChannel.choices if choice[0] != RevocationChannel.PORTAL]


class DraftForm(ButtonForm):
    customer = RecordChoiceField(
        Customer.objects.all(), widget=SearchSelect(PoaDocument._meta.get_field("customer"), admin.site)
    )
    site = RecordChoiceField(
        Site.objects.all(),
        widget=SearchSelect(PoaDocument._meta.get_field("site"), admin.site),
        help_text="Where the customer's installation is.",
    )
    promise = RecordChoiceField(
        PlanPromise.objects.filter(is_offered=True),
        label="Plan that was sold",
        help_text="Its limits are copied into the document and cannot be changed after it was sent.",
    )
    earliest_start_date = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    latest_start_date = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    sunset_date = forms.DateField(
        label="Authority ends after",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Left out: 180 days from today.",
    )


class ReasonForm(ButtonForm):
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept with the document and its evidence."
    )


class PaperForm(ButtonForm):
    signed_date = forms.DateField(label="Date next to the signature", widget=forms.DateInput(attrs={"type": "date"}))
    scan = forms.FileField(label="Scan of all pages", help_text="A PDF, or a photo as JPEG or PNG, at most 15 MB.")

    def clean_scan(self) -> CheckedProof:
        upload = self.cleaned_data["scan"]
        try:
            return check_proof(upload, name=upload.name, size_bytes=upload.size)
        except (InvalidProof, FileChecksBusy) as problem:
            raise forms.ValidationError(str(problem)) from problem


class ChannelForm(ButtonForm):
    channel = forms.ChoiceField(choices=_STAFF_CHANNELS, label="How the customer told us")
    received_at = forms.DateTimeField(
        label="When it reached us",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="Texas time. Left out: now.",
    )


class RevocationForm(ChannelForm, ReasonForm):
    field_order = ("channel", "received_at", "reason")


class StopForm(ButtonForm):
    kind = forms.ChoiceField(choices=StopKind.choices, label="What was reported")
    source = forms.CharField(
        label="Who reported it, and how they know",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Name, relation to the customer, how they reached us. Kept with the evidence.",
    )
    received_at = forms.DateTimeField(
        label="When it reached us",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="Texas time. Left out: now.",
    )


def _file_name(poa: PoaDocument, ending: str) -> str:
    return f"poa-{chicago_day(poa.created_at)}{ending}"


def _send(context: ButtonContext) -> str:
    send_poa(poa_id=context.record.pk, by=context.by, at=context.at)
    return "The customer will get a mail with a link that no one else can see. It is on its way."


def _void(context: ButtonContext) -> str:
    void_poa(poa_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The document is void. The customer's link says so."


def _revoke(context: ButtonContext) -> str:
    revoke_poa(poa_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The revocation is recorded and takes effect now. The customer gets a receipt."


def _want_paper(context: ButtonContext) -> str:
    withdraw_econsent(poa_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "Recorded. The customer gets paper from now on. The work queue lists what to mail."


def _report_stop(context: ButtonContext) -> str:
    record_stop_signal(customer_id=context.record.customer_id, by=context.by, at=context.at, **context.answers)
    return (
        "Everything in the customer's name is stopped, at every site. Find out what happened, then end the stop signal."
    )


def _suspend(context: ButtonContext) -> str:
    suspend_poa(poa_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "Suspended. Nothing is done under it until someone resumes it."


def _resume(context: ButtonContext) -> str:
    resume_poa(poa_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The document is in force again. Its case is being checked."


def _print(context: ButtonContext) -> HttpResponse:
    content = print_for_paper(poa_id=context.record.pk, by=context.by, at=context.at)
    return file_response(content, name=_file_name(context.record, "-to-sign.pdf"), content_type="application/pdf")


def _record_paper(context: ButtonContext) -> str:
    record_paper(poa_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The scan is saved. It counts once a second person has compared and confirmed it."


def _look_at_scan(context: ButtonContext) -> HttpResponse:
    paper = context.record.paper_signatures.latest("pk")
    content = _viewed(context, scan_file(paper))
    name = _file_name(context.record, f"-scan{SUFFIXES[paper.scan_content_type]}")
    return file_response(content, name=name, content_type=paper.scan_content_type)


def _look_at_received_scan(context: ButtonContext) -> HttpResponse:
    paper = context.record.paper_signatures.latest("pk")
    content = _viewed(context, received_scan_file(paper))
    name = _file_name(context.record, f"-scan-as-received{SUFFIXES[paper.scan_content_type]}")
    return file_response(content, name=name, content_type="application/octet-stream")


def _viewed(context: ButtonContext, file: stored_files.StoredFile) -> bytes:
    content = stored_files.read(file)
    with transaction.atomic():
        chain.record(context.record, kind="viewed", by=context.by, at=context.at, details={"sha256": file.sha256})
    return content


def _confirm_paper(context: ButtonContext) -> str:
    confirm_paper(poa_id=context.record.pk, by=context.by, at=context.at)
    return "Confirmed. The document is being sealed. Mail the customer a paper copy."


def _refuse_paper(context: ButtonContext) -> str:
    refuse_paper(poa_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return "The scan was rejected with your reason. You can record another one."


def _has_scan(poa: Any) -> bool:
    return bool(poa.paper_signatures.exists())


def _has_redrawn_scan(poa: Any) -> bool:
    paper = poa.paper_signatures.order_by("pk").last()
    return bool(paper and paper.received_storage_key and paper.received_sha256 != paper.scan_sha256)


def _scan_waits(poa: Any) -> bool:
    waiting = poa.paper_signatures.filter(confirmed_at__isnull=True, refused_at__isnull=True)
    return bool(_allows("sign_on_paper")(poa) and waiting.exists())


def _download(context: ButtonContext) -> HttpResponse:
    poa: PoaDocument = context.record
    content = stored_files.read(StoredFile(poa.pdf_storage_key, poa.pdf_sha256, poa.pdf_size_bytes or 0))
    with transaction.atomic():
        chain.record(poa, kind="viewed", by=context.by, at=context.at, details={"sha256": poa.pdf_sha256})
    return file_response(content, name=_file_name(poa, ".pdf"), content_type="application/pdf")


def _allows(move: str) -> Callable[[Any], bool]:
    def allowed(poa: PoaDocument) -> bool:
        return poa.status in MOVES[move].sources

    return allowed


@admin.register(PoaDocument)
class PoaDocumentAdmin(AddableRecordAdmin):
    list_display = ("__str__", "site", "status", "sent_at", "signed_at", "trouble")
    list_filter = ("status", "template__language", "sent_at", "signed_at")
    search_fields = (
        "customer__first_name__unaccented",
        "customer__last_name__unaccented",
        "customer__email",
        "site__esi_id",
        "pdf_sha256",
    )
    list_select_related = ("customer", "site")
    fieldsets = (
        (None, {"fields": (("customer", "site"), ("status", "promise"), ("template", "envelope"))}),
        ("On its way", {"fields": (("created_at", "sent_at", "token_expires_at"),)}),
        ("Signed", {"fields": (("signature_kind", "signed_at", "signed_from_ip"), "document_sha256")}),
        ("Sealed", {"fields": (("sealed_at", "pdf_size_bytes"), "pdf_sha256", ("seal_failures", "last_error"))}),
        (
            "Use and end",
            {
                "fields": (
                    ("uses_made", "suspended_because"),
                    ("ended_at", "revocation_channel", "revocation_received_at"),
                    "ended_because",
                    ("paper_wanted_at", "paper_wanted_channel"),
                )
            },
        ),
    )
    new_record_form = DraftForm
    new_record_intro = "Creates a draft. Check it, then send it to the customer."
    hidden_links = frozenset({"evidence", "consents", "mails"})
    buttons = (
        Button(
            name="send",
            label="Send to the customer",
            run=_send,
            explanation=(
                "Mails the customer a link to read and sign. Nobody here can see the link. From then on the limits "
                "cannot be changed."
            ),
            is_offered=_allows("send"),
        ),
        Button(
            name="resend",
            label="Resend",
            run=_send,
            explanation="Mails the customer a new link. The earlier one stops working.",
            is_offered=lambda poa: poa.status == PoaStatus.SENT or poa.status in STATUSES_WITH_PAGE,
        ),
        Button(
            name="download",
            label="Download the signed document",
            run=_download,
            explanation="Saves the sealed PDF. That you looked at it is kept in its evidence.",
            outages=(FileAltered,),
            is_offered=lambda poa: bool(poa.pdf_storage_key),
            is_direct=True,
            permission="poa_documents.view_poadocument",
        ),
        Button(
            name="print-for-paper",
            label="Print for a signature by hand",
            run=_print,
            explanation="Saves the document as a file to print, with boxes to check and lines to sign on.",
            is_offered=_allows("sign_on_paper"),
            is_direct=True,
        ),
        Button(
            name="record-paper",
            label="Record a paper signature",
            run=_record_paper,
            explanation=(
                "Keeps the scan of the signed pages. It gives no authority until a second person has compared it."
            ),
            outages=(FileNotStored,),
            is_offered=lambda poa: _allows("sign_on_paper")(poa) and not _scan_waits(poa),
            form=PaperForm,
        ),
        Button(
            name="look-at-scan",
            label="Look at the scan",
            run=_look_at_scan,
            explanation="Saves the scan of the signed pages. That you looked at it is kept in the evidence.",
            outages=(FileAltered,),
            is_offered=_has_scan,
            is_direct=True,
            permission="poa_documents.view_poadocument",
        ),
        Button(
            name="look-at-received-scan",
            label="Save the scan as it was sent",
            run=_look_at_received_scan,
            explanation=(
                "Saves the very bytes that were sent, as evidence. They were not cleaned: open them only where the "
                "stored scan is not enough. That you looked at them is kept in the evidence."
            ),
            outages=(FileAltered,),
            is_offered=_has_redrawn_scan,
            permission="poa_documents.view_poadocument",
        ),
        Button(
            name="confirm-paper",
            label="Confirm the paper signature",
            run=_confirm_paper,
            explanation=(
                "You looked at the scan, and it shows this document with all four boxes ticked, signed by this "
                "customer. The person who recorded the scan cannot confirm it. Once confirmed, it gives authority."
            ),
            outages=(FileAltered,),
            is_offered=_scan_waits,
        ),
        Button(
            name="refuse-paper",
            label="Refuse the paper signature",
            run=_refuse_paper,
            explanation="Puts the scan aside: a box is not ticked, a page is missing, it is not signed or unreadable.",
            is_offered=_scan_waits,
            form=ReasonForm,
        ),
        CALL_BACK,
        Button(
            name="want-paper",
            label="Record that the customer wants paper",
            run=_want_paper,
            explanation=(
                "The customer withdrew the consent to electronic records, in whichever way. What was signed stays "
                "valid; what is not signed yet is signed by hand or not at all."
            ),
            is_offered=lambda poa: poa.paper_wanted_at is None and poa.status in ELECTRONIC_STATUSES,
            form=ChannelForm,
        ),
        Button(
            name="report-stop",
            label="Report a death or incapacity",
            run=_report_stop,
            explanation=(
                "Stops everything in the customer's name at once, at every site, including queued work. A death ends "
                "every power of attorney permanently. Incapacity suspends it until the office decides."
            ),
            is_offered=lambda poa: poa.is_open or poa.status == PoaStatus.EXHAUSTED,
            form=StopForm,
            is_grave=True,
        ),
        Button(
            name="suspend",
            label="Suspend",
            run=_suspend,
            explanation="Nothing is done under it until someone resolves the doubt and resumes it.",
            is_offered=_allows("suspend"),
            form=ReasonForm,
        ),
        Button(
            name="resume",
            label="Resume",
            run=_resume,
            explanation="Lets it count again, once its stored file is proven good.",
            is_offered=_allows("resume"),
            form=ReasonForm,
        ),
        Button(
            name="void",
            label="Void",
            run=_void,
            explanation="Takes it back before it was signed; the customer's link then says so. There is no way back.",
            is_offered=_allows("void"),
            form=ReasonForm,
            is_grave=True,
        ),
        Button(
            name="revoke",
            label="Record a revocation",
            run=_revoke,
            explanation=(
                "Records that the customer took the authority back, in whichever way. It blocks at once, also work "
                "that is queued. Only a new signature of the customer's opens the way again."
            ),
            is_offered=_allows("revoke"),
            form=RevocationForm,
            is_grave=True,
        ),
    )

    @display(description="Trouble", label={"Cannot be stored": "danger"})
    def trouble(self, poa: PoaDocument) -> str:
        return "Cannot be stored" if poa.status == PoaStatus.SEALING and poa.seal_failures else ""

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> PoaDocument:
        chosen = {name: answers.pop(name) for name in ("customer", "site", "promise")}
        return draft_poa(
            **answers,
            customer_id=chosen["customer"].pk,
            site_id=chosen["site"].pk,
            promise_id=chosen["promise"].pk,
            by=by,
            at=at,
        )

    def tables_of(self, request: HttpRequest, record: PoaDocument) -> list[Table]:
        """Return the tables of the document. Viewing it is logged."""
        logger.info("POA %s was read by user %s.", record.pk, request.user.pk)
        return [_limits_table(record), _consents_table(record), _mails_table(record), _evidence_table(record)]


def _limits_table(poa: PoaDocument) -> Table:
    return Table(
        title="Limits",
        shows=Envelope,
        columns=("What", "Limit"),
        rows=[[Cell(label), Cell(value)] for label, value in limit_lines(poa.envelope, Language.ENGLISH)],
    )


def _consents_table(poa: PoaDocument) -> Table:
    return Table(
        title="Consents",
        shows=ConsentRecord,
        columns=("When", "Statement", "Wording", "From"),
        rows=[
            [
                Cell(moment(consent.given_at)),
                Cell(consent.get_statement_display(), record_url(consent)),
                Cell(
                    f"Version {consent.wording_version}, {consent.get_language_display()}", note=consent.wording_sha256
                ),
                Cell(consent.ip_address or "—", note=consent.user_agent),
            ]
            for consent in poa.consents.all()
        ],
        empty="The customer has not agreed to anything yet.",
    )


def _mails_table(poa: PoaDocument) -> Table:
    return Table(
        title="Mails",
        shows=CustomerMail,
        columns=("When", "What", "Sent", "Trouble"),
        rows=[
            [
                Cell(moment(mail.created_at)),
                Cell(mail.get_kind_display(), record_url(mail)),
                Cell(moment(mail.sent_at)),
                Cell(mail.last_error or "—"),
            ]
            for mail in poa.mails.all()
        ],
        empty="None yet.",
    )


def _evidence_table(poa: PoaDocument) -> Table:
    verdict = chain.verify(poa)
    newest = list(poa.evidence.order_by("-number")[:EVIDENCE_SHOWN])
    names = name_actors(entry.actor for entry in newest)
    note = (
        f"The chain of {verdict.entries} entries is intact."
        if verdict.is_intact
        else f"THE CHAIN IS BROKEN at entry {verdict.broken_number}: {verdict.problem} Tell operations at once."
    )
    return Table(
        title="Evidence",
        shows=EvidenceEntry,
        columns=("No.", "When", "What", "Who", "Details"),
        rows=[
            [
                Cell(str(entry.number), record_url(entry)),
                Cell(moment(entry.at)),
                Cell(entry.kind.replace("_", " ").replace(".", ": ").capitalize()),
                Cell(names[entry.actor]),
                Cell(describe_details(entry.details) or "—"),
            ]
            for entry in newest
        ],
        note=note,
        note_tone="good" if verdict.is_intact else "bad",
    )
