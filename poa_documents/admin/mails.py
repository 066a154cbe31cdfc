from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from core.admin_site import Button, Press, RecordAdmin, as_download, display
from poa_documents.actions import NotToBePosted, mark_posted, send_poa
from poa_documents.actions.mailing import is_to_be_posted
from poa_documents.mails import compose
from poa_documents.models import CustomerMail, MailKind


class DeliveryFilter(admin.SimpleListFilter):
    title = "delivery"
    parameter_name = "delivery"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> list[tuple[str, str]]:
        return [("failing", "Failing"), ("waiting", "Waiting"), ("sent", "Sent"), ("overtaken", "Not needed any more")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[CustomerMail]) -> QuerySet[CustomerMail] | None:
        unsent = Q(sent_at__isnull=True, not_needed_at__isnull=True)
        match self.value():
            case "failing":
                return queryset.filter(unsent).exclude(last_error="")
            case "waiting":
                return queryset.filter(unsent, last_error="")
            case "sent":
                return queryset.filter(sent_at__isnull=False)
            case "overtaken":
                return queryset.filter(not_needed_at__isnull=False)
        return None


def _send_anew(press: Press) -> str:
    send_poa(poa_id=press.record.poa_id, by=press.by, at=press.at)
    return "A new mail with a new link is on its way; the earlier link stops working."


def _save_letter(press: Press) -> HttpResponse:
    mail: CustomerMail = press.record
    message = compose(mail, mail.poa)
    text = f"{message.subject}\n\n{message.body}"
    return as_download(text.encode(), name=f"letter-{mail.pk}.txt", content_type="text/plain; charset=utf-8")


def _posted(press: Press) -> str:
    mark_posted(mail_id=press.record.pk, by=press.by, at=press.at)
    return "Noted: the customer got it on paper."


@admin.register(CustomerMail)
class CustomerMailAdmin(RecordAdmin):
    list_display = ("created_at", "kind", "poa", "delivery", "attempts", "last_error")
    list_filter = (DeliveryFilter, "kind", "created_at")
    search_fields = ("poa__customer__first_name", "poa__customer__last_name", "poa__customer__email", "last_error")
    list_select_related = ("poa__customer",)
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (None, {"fields": (("poa", "address"), ("kind", "delivery"), ("created_at", "sent_at", "due_at"))}),
        ("Trouble", {"fields": (("attempts", "not_needed_at"), "last_error")}),
    )
    buttons = (
        Button(
            name="send-anew",
            label="Send a new invitation",
            run=_send_anew,
            explanation="Mails a new link to the customer's address on file. The earlier link stops working.",
            is_offered=lambda mail: mail.sent_at is None and mail.kind == MailKind.INVITATION and mail.poa.is_open,
            permission="poa_documents.change_poadocument",
        ),
        Button(
            name="save-letter",
            label="Save as a letter",
            run=_save_letter,
            explanation="Saves what the mail says as text, to print and post.",
            is_offered=is_to_be_posted,
            is_direct=True,
        ),
        Button(
            name="posted",
            label="It was posted",
            run=_posted,
            explanation="Takes note that the customer got it on paper. It leaves the list of mails that wait.",
            refusals=(NotToBePosted,),
            is_offered=is_to_be_posted,
        ),
    )

    @display(description="Address on file")
    def address(self, mail: CustomerMail) -> str:
        return mail.poa.customer.email

    @display(
        description="Delivery",
        label={
            "Sent": "success",
            "Waiting": "info",
            "Failing, tried again": "warning",
            "Given up": "danger",
            "Not needed any more": "info",
        },
    )
    def delivery(self, mail: CustomerMail) -> str:
        return self.state_of(mail)

    def state_of(self, record: CustomerMail) -> str:
        if record.sent_at:
            return "Sent"
        if record.not_needed_at:
            return "Not needed any more"
        if record.is_blocked:
            return "Given up"
        return "Failing, tried again" if record.last_error else "Waiting"
