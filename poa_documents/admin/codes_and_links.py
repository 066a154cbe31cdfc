from django.contrib import admin

from core.admin.records import RecordAdmin
from poa_documents.models import ContactCode, RetiredLink


@admin.register(ContactCode)
class ContactCodeAdmin(RecordAdmin):
    list_display = ("asked_at", "poa", "sent_to", "expires_at", "wrong_tries", "used_at")
    list_filter = ("asked_at", "used_at")
    search_fields = ("poa__customer__first_name__unaccented", "poa__customer__last_name__unaccented", "sent_to")
    list_select_related = ("poa__customer",)
    fields = ("poa", "mail", "sent_to", ("asked_at", "asked_from_ip"), ("expires_at", "wrong_tries", "used_at"))


@admin.register(RetiredLink)
class RetiredLinkAdmin(RecordAdmin):
    list_display = ("retired_at", "poa", "because")
    list_filter = ("because", "retired_at")
    search_fields = ("poa__customer__first_name__unaccented", "poa__customer__last_name__unaccented")
    list_select_related = ("poa__customer",)
    fields = ("poa", "because", "retired_at")
