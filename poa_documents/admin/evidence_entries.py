from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import EvidenceEntry


@admin.register(EvidenceEntry)
class EvidenceEntryAdmin(RecordAdmin):
    list_display = ("at", "poa", "number", "kind", "actor")
    list_filter = ("kind", "at")
    search_fields = ("poa__customer__first_name__plainly", "poa__customer__last_name__plainly", "sha256")
    list_select_related = ("poa__customer",)
    ordering = ("-at", "-pk")
