from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import IssuersAnswer


@admin.register(IssuersAnswer)
class IssuersAnswerAdmin(RecordAdmin):
    list_display = ("certificate_sha256", "asked_at", "counts_until", "revoked_at")
    list_filter = ("asked_at", "revoked_at")
    search_fields = ("certificate_sha256",)
