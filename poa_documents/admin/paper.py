from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import PaperSignature


@admin.register(PaperSignature)
class PaperSignatureAdmin(RecordAdmin):
    list_display = ("recorded_at", "poa", "signed_date", "recorded_by", "confirmed_by", "refused_at")
    list_filter = ("recorded_at", "confirmed_at", "refused_at")
    search_fields = ("poa__customer__first_name__plainly", "poa__customer__last_name__plainly", "scan_sha256")
    list_select_related = ("poa__customer",)
