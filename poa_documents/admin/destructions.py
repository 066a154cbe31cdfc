from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import DestructionProof


@admin.register(DestructionProof)
class DestructionProofAdmin(RecordAdmin):
    list_display = ("__str__", "at", "actor", "reason")
    list_filter = ("at",)
    search_fields = ("poa_number", "head_sha256", "sha256")
    ordering = ("-number",)
