from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import SignerDoubt


@admin.register(SignerDoubt)
class SignerDoubtAdmin(RecordAdmin):
    list_display = ("noted_at", "poa", "reason", "proof", "cleared_by")
    list_filter = ("reason", "proof", "noted_at", "cleared_at")
    search_fields = ("poa__customer__first_name__plainly", "poa__customer__last_name__plainly")
    list_select_related = ("poa__customer",)
    fields = ("poa", "reason", "because", "noted_at", ("proof", "cleared_at", "cleared_by"))
