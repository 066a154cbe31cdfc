from django.contrib import admin

from core.admin_site import RecordAdmin
from enrollments.models import AcceptAttempt


@admin.register(AcceptAttempt)
class AcceptAttemptAdmin(RecordAdmin):
    list_display = ("offer", "enrollment", "poa", "esi_id", "service_start_date", "chicago_date", "succeeded")
    list_filter = ("succeeded", "chicago_date")
    search_fields = ("esi_id", "poa_sha256", "enrollment__customer__last_name__plainly")
    list_select_related = ("offer", "enrollment", "poa__customer")
    fieldsets = (
        (None, {"fields": (("enrollment", "write"), ("offer", "service_start_date"), ("esi_id", "succeeded"))}),
        ("Authority", {"fields": (("poa", "poa_use"), "poa_sha256", "chicago_date")}),
    )
