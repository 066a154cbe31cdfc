from django.contrib import admin

from core.admin_site import RecordAdmin
from enrollments.models import EvidencePackRead


@admin.register(EvidencePackRead)
class EvidencePackReadAdmin(RecordAdmin):
    list_display = ("at", "enrollment", "actor", "sha256", "size_bytes")
    list_filter = ("at",)
    search_fields = ("sha256", "actor", "enrollment__site__esi_id")
    list_select_related = ("enrollment",)
    fields = (("enrollment", "actor", "at"), ("sha256", "size_bytes"), "newest_fact_at", "missing")
