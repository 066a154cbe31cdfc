from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import ConsentRecord


@admin.register(ConsentRecord)
class ConsentRecordAdmin(RecordAdmin):
    list_display = ("given_at", "poa", "statement", "wording_version", "language")
    list_filter = ("statement", "language", "given_at")
    search_fields = ("poa__customer__first_name__plainly", "poa__customer__last_name__plainly", "wording_sha256")
    list_select_related = ("poa__customer",)
