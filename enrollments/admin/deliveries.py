from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.admin.buttons import Button, ButtonContext
from core.admin.records import RecordAdmin
from core.admin.tables import display
from enrollments.actions.webhook_processing import settle_again
from enrollments.models import WebhookDelivery, WebhookRefusal


class SettlingFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "settling"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> list[tuple[str, str]]:
        return [("failed", "Failed"), ("waiting", "Waiting"), ("settled", "Processed")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery] | None:
        failed = Q(settled_at__isnull=True) & (~Q(last_error="") | Q(due_at__isnull=True))
        match self.value():
            case "failed":
                return queryset.filter(failed)
            case "waiting":
                return queryset.filter(settled_at__isnull=True, last_error="", due_at__isnull=False)
            case "settled":
                return queryset.filter(settled_at__isnull=False)
        return None


def _settle_again(context: ButtonContext) -> str:
    settle_again(delivery_id=context.record.pk, by=context.by, at=context.at)
    return "The webhook is being processed again; reload in a few seconds."


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(RecordAdmin):
    list_display = ("received_at", "event_name", "light_account_uuid", "enrollment", "settling", "attempts", "outcome")
    list_filter = (SettlingFilter, "event_name", "received_at")
    search_fields = ("event_key", "event_name", "light_account_uuid", "enrollment__customer__last_name__unaccented")
    list_select_related = ("enrollment",)
    fieldsets = (
        (None, {"fields": (("event_name", "received_at"), ("enrollment", "light_account_uuid"))}),
        ("Processing", {"fields": (("settled_at", "outcome"), ("attempts", "due_at"), "last_error")}),
        ("As received", {"fields": ("event_key", "body_sha256", "body", "headers"), "classes": ("collapse",)}),
    )

    buttons = (
        Button(
            name="settle-again",
            label="Process again",
            run=_settle_again,
            explanation="Processes the webhook again from the body as received. It is safe to repeat.",
        ),
    )

    @display(
        description="State",
        label={"Processed": "success", "Given up": "danger", "Failed, will be retried": "warning", "Waiting": "info"},
    )
    def settling(self, delivery: WebhookDelivery) -> str:
        return self.state_of(delivery)

    def state_of(self, record: WebhookDelivery) -> str:
        if record.settled_at:
            return "Processed"
        if record.due_at is None:
            return "Given up"
        return "Failed, will be retried" if record.last_error else "Waiting"


@admin.register(WebhookRefusal)
class WebhookRefusalAdmin(RecordAdmin):
    """Requests with a wrong signature, counted by day. Many on one day: the secret was changed, or it is an attack."""

    list_display = ("date", "sender", "count", "last_at", "last_reason")
    list_filter = ("sender",)
