from typing import cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from core.admin.buttons import Button, ButtonContext, ButtonForm
from core.admin.records import RecordAdmin
from core.admin.tables import display
from core.dates import chicago_day
from core.downloads import file_response
from poa_documents.actions import (
    end_address_failure,
    mark_posted,
    record_return,
    send_poa,
)
from poa_documents.actions.mails import is_to_be_posted
from poa_documents.mail.messages import compose
from poa_documents.models import (
    AddressFailure,
    CustomerMail,
    CustomerMailQuerySet,
    MailKind,
    MailReport,
    MailState,
    ReturnSource,
)


class DeliveryFilter(admin.SimpleListFilter):
    title = "delivery"
    parameter_name = "delivery"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> list[tuple[str, str]]:
        return [
            ("failing", "Failing, held or returned"),
            ("held", "Held back"),
            ("returned", "Came back"),
            ("waiting", "Waiting"),
            ("sent", "Sent"),
            ("overtaken", "No longer needed"),
        ]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[CustomerMail]) -> QuerySet[CustomerMail] | None:
        mails = cast("CustomerMailQuerySet", queryset)
        match self.value():
            case "failing":
                return mails.in_trouble()
            case "held":
                return mails.unsent().filter(held_since__isnull=False)
            case "returned":
                return mails.filter(returned_at__isnull=False, is_return_settled=False)
            case "waiting":
                return mails.unsent().filter(last_error="", held_since__isnull=True)
            case "sent":
                return mails.filter(sent_at__isnull=False)
            case "overtaken":
                return mails.filter(not_needed_at__isnull=False)
        return None


class ReturnForm(ButtonForm):
    because = forms.CharField(
        label="How you know",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What the answer in our mailbox says, for example. Kept with the mail.",
    )


class WorksAgainForm(ButtonForm):
    because = forms.CharField(
        label="How you know", widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept with the power of attorney."
    )


def _send_new_invitation(context: ButtonContext) -> str:
    send_poa(poa_id=context.record.poa_id, by=context.by, at=context.at)
    return "A new mail with a new link is on its way; the earlier link stops working."


def _save_letter(context: ButtonContext) -> HttpResponse:
    mail: CustomerMail = context.record
    text = mail.letter
    if not text:
        message = compose(mail, mail.poa)
        text = f"{message.subject}\n\n{message.body}"
    return file_response(
        text.encode(), name=f"letter-{chicago_day(mail.created_at)}.txt", content_type="text/plain; charset=utf-8"
    )


def _mark_as_mailed(context: ButtonContext) -> str:
    mark_posted(mail_id=context.record.pk, by=context.by, at=context.at)
    return "Noted: the customer got it on paper."


def _came_back(context: ButtonContext) -> str:
    outcome = record_return(
        mail_id=context.record.pk, source=ReturnSource.OFFICE, by=context.by, at=context.at, **context.answers
    )
    return outcome.in_words


def _works_again(context: ButtonContext) -> str:
    end_address_failure(customer_id=context.record.customer_id, by=context.by, at=context.at, **context.answers)
    return "What was held, and what came back, is sent now, unless it was overtaken."


@admin.register(CustomerMail)
class CustomerMailAdmin(RecordAdmin):
    list_display = ("created_at", "kind", "poa", "delivery", "sent_at", "attempts", "last_error")
    list_filter = (DeliveryFilter, "kind", "created_at")
    search_fields = (
        "poa__customer__first_name__unaccented",
        "poa__customer__last_name__unaccented",
        "poa__customer__email",
        "last_error",
    )
    list_select_related = ("poa__customer",)
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (None, {"fields": (("poa", "address"), ("kind", "delivery"), ("created_at", "sent_at", "due_at"))}),
        (
            "Trouble",
            {
                "fields": (
                    ("attempts", "tried_at", "sent_to"),
                    ("held_since", "returned_at", "not_needed_at"),
                    "last_error",
                )
            },
        ),
    )
    buttons = (
        Button(
            name="new-invitation",
            label="Send a new invitation",
            run=_send_new_invitation,
            explanation="Mails a new link to the customer's address on file. The earlier link stops working.",
            is_offered=lambda mail: mail.sent_at is None and mail.kind == MailKind.INVITATION and mail.poa.is_open,
            permission="poa_documents.change_poadocument",
        ),
        Button(
            name="save-letter",
            label="Save as a letter",
            run=_save_letter,
            explanation="Saves the text of the mail, to print and send on paper.",
            is_offered=is_to_be_posted,
            is_direct=True,
        ),
        Button(
            name="posted",
            label="Mark as mailed",
            run=_mark_as_mailed,
            explanation="Records that it was mailed on paper. It is removed from the list of waiting mails.",
            is_offered=is_to_be_posted,
        ),
        Button(
            name="came-back",
            label="This mail came back",
            run=_came_back,
            explanation=(
                "Says that the address does not work. All mail to it is held, and the case asks for another address."
            ),
            is_offered=lambda mail: mail.state in {MailState.SENT, MailState.UNCERTAIN, MailState.FAILED},
            form=ReturnForm,
            permission="poa_documents.change_poadocument",
        ),
    )

    @display(description="Address on file")
    def address(self, mail: CustomerMail) -> str:
        return mail.poa.customer.email

    @display(
        description="Delivery",
        label={
            MailState.SENT.label: "success",
            MailState.QUEUED.label: "info",
            MailState.RETRYING.label: "warning",
            MailState.UNCERTAIN.label: "warning",
            MailState.HELD.label: "warning",
            MailState.RETURNED.label: "danger",
            MailState.FAILED.label: "danger",
            MailState.TO_BE_POSTED.label: "warning",
            MailState.POSTED.label: "success",
            MailState.OVERTAKEN.label: "info",
        },
    )
    def delivery(self, mail: CustomerMail) -> str:
        return self.state_of(mail)

    def state_of(self, record: CustomerMail) -> str:
        return str(record.state.label)


@admin.register(AddressFailure)
class AddressFailureAdmin(RecordAdmin):
    list_display = ("since", "customer", "address", "source", "because", "ended_at")
    list_filter = ("source", "since", "ended_at")
    search_fields = ("customer__first_name__unaccented", "customer__last_name__unaccented", "address")
    list_select_related = ("customer",)
    fieldsets = (
        (None, {"fields": (("customer", "address"), ("since", "source"), "because", ("poa", "mail"))}),
        ("How it ended", {"fields": (("ended_at", "ended_by"), "ended_because")}),
    )
    buttons = (
        Button(
            name="works-again",
            label="Mail gets through again",
            run=_works_again,
            explanation=(
                "Says that the address is right after all. What was held, and what came back, is sent there at once."
            ),
            is_offered=lambda failure: failure.ended_at is None,
            form=WorksAgainForm,
            permission="poa_documents.change_poadocument",
        ),
    )

    def state_of(self, record: AddressFailure) -> str:
        return "Open" if record.ended_at is None else "Ended"


@admin.register(MailReport)
class MailReportAdmin(RecordAdmin):
    list_display = ("received_at", "mail", "outcome", "last_error", "settled_at")
    list_filter = ("received_at", "settled_at")
    search_fields = ("event_key", "outcome", "last_error")
    list_select_related = ("mail",)
    fields = (("received_at", "settled_at", "attempts"), ("mail", "event_key"), "outcome", "last_error", "body")
