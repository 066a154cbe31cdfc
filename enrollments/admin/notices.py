from django.contrib import admin

from core.admin_site import RecordAdmin
from enrollments.models import AdvanceNotice


@admin.register(AdvanceNotice)
class AdvanceNoticeAdmin(RecordAdmin):
    list_display = ("offer", "enrollment", "start_date", "given_at", "until")
    list_filter = ("given_at",)
    search_fields = ("enrollment__site__esi_id", "enrollment__customer__last_name__plainly", "offer__name")
    list_select_related = ("enrollment", "offer")
    fieldsets = ((None, {"fields": (("enrollment", "poa"), ("offer", "start_date"), ("given_at", "until"))}),)
