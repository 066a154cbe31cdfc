from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import SealTimestamp


@admin.register(SealTimestamp)
class SealTimestampAdmin(RecordAdmin):
    list_display = ("poa", "stamped_at", "is_inside", "authority_sha256")
    list_filter = ("is_inside", "stamped_at")
    search_fields = ("authority_sha256",)
    list_select_related = ("poa__customer",)
