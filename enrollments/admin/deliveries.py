from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.admin_site import RecordAdmin, display
from enrollments.models import WebhookDelivery


class SettlingFilter(admin.SimpleListFilter):
    title = "settling"
    parameter_name = "settling"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> list[tuple[str, str]]:
        return [("failed", "Failed"), ("waiting", "Waiting"), ("settled", "Settled")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery] | None:
        failed = Q(settled_at__isnull=True) & ~Q(last_error="")
        match self.value():
            case "failed":
                return queryset.filter(failed)
            case "waiting":
                return queryset.filter(settled_at__isnull=True, last_error="")
            case "settled":
                return queryset.filter(settled_at__isnull=False)
        return None


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(RecordAdmin):
    list_display = ("received_at", "event_name", "light_account_uuid", "enrollment", "settling", "attempts", "outcome")
    list_filter = (SettlingFilter, "event_name", "received_at")
    search_fields = ("event_key", "event_name", "light_account_uuid", "enrollment__customer__last_name")
    list_select_related = ("enrollment",)
    fieldsets = (
        (None, {"fields": (("event_name", "received_at"), ("enrollment", "light_account_uuid"))}),
        ("Settling", {"fields": (("settled_at", "outcome"), ("attempts", "due_at"), "last_error")}),
        ("As received", {"fields": ("event_key", "body_sha256", "body", "headers"), "classes": ("collapse",)}),
    )

    @display(
        description="Settling",
        label={"Settled": "success", "Failed, tried again": "danger", "Waiting": "warning"},
    )
    def settling(self, delivery: WebhookDelivery) -> str:
        return self.state_of(delivery)

    def state_of(self, record: WebhookDelivery) -> str:
        if record.settled_at:
            return "Settled"
        return "Failed, tried again" if record.last_error else "Waiting"
