from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import JournalAnchor


@admin.register(JournalAnchor)
class JournalAnchorAdmin(RecordAdmin):
    list_display = ("__str__", "chains", "entries", "sha256", "problem")
    list_filter = ("made_at",)
    search_fields = ("sha256",)
    ordering = ("-number",)
