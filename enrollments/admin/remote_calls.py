from django.contrib import admin

from core.admin_site import RecordAdmin, display
from enrollments.models import RemoteCall


@admin.register(RemoteCall)
class RemoteCallAdmin(RecordAdmin):
    list_display = ("at", "purpose", "method", "path", "http_status", "rounded_seconds", "enrollment", "problem")
    list_filter = ("purpose", "http_status", "at")
    search_fields = ("path", "problem", "enrollment__site__esi_id", "enrollment__customer__last_name__plainly")
    list_select_related = ("enrollment",)

    @display(description="Seconds", ordering="seconds")
    def rounded_seconds(self, call: RemoteCall) -> str:
        return f"{call.seconds:.2f}"
