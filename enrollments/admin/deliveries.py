from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.admin.buttons import Button, ButtonContext
from core.admin.records import RecordAdmin
from core.admin.tables import display
from enrollments.actions.webhook_processing import settle_again
from enrollments.models import WebhookDelivery, WebhookRefusal


class SettlingFilter(admin.SimpleListFilter):
    title = "settling"
    parameter_name = "settling"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> list[tuple[str, str]]:
        return [("failed", "Failed"), ("waiting", "Waiting"), ("settled", "Settled")]

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
    return "It is settled again now; reload in a few seconds."


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(RecordAdmin):
    list_display = ("received_at", "event_name", "light_account_uuid", "enrollment", "settling", "attempts", "outcome")
    list_filter = (SettlingFilter, "event_name", "received_at")
    search_fields = ("event_key", "event_name", "light_account_uuid", "enrollment__customer__last_name__plainly")
    list_select_related = ("enrollment",)
    fieldsets = (
        (None, {"fields": (("event_name", "received_at"), ("enrollment", "light_account_uuid"))}),
        ("Settling", {"fields": (("settled_at", "outcome"), ("attempts", "due_at"), "last_error")}),
        ("As received", {"fields": ("event_key", "body_sha256", "body", "headers"), "classes": ("collapse",)}),
    )

    buttons = (
        Button(
            name="settle-again",
            label="Settle again",
            run=_settle_again,
            explanation="Works it off anew from the body as it was received. Doing it twice changes nothing.",
        ),
    )

    @display(
        description="Settling",
        label={"Settled": "success", "Given up": "danger", "Failed, tried again": "warning", "Waiting": "info"},
    )
    def settling(self, delivery: WebhookDelivery) -> str:
        return self.state_of(delivery)

    def state_of(self, record: WebhookDelivery) -> str:
        if record.settled_at:
            return "Settled"
        if record.due_at is None:
            return "Given up"
        return "Failed, tried again" if record.last_error else "Waiting"


@admin.register(WebhookRefusal)
class WebhookRefusalAdmin(RecordAdmin):
    """How often somebody without our secret knocked. Many on one day: that secret was changed, or somebody tries."""

    list_display = ("date", "sender", "count", "last_at", "last_reason")
    list_filter = ("sender",)
