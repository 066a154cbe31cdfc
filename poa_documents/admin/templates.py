from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import PoaTemplate


@admin.register(PoaTemplate)
class PoaTemplateAdmin(RecordAdmin):
    """New wording comes as a new version, in both languages together, with the program."""

    list_display = ("title", "version", "language", "effective_from_date", "effective_until_date")
    list_filter = ("language", "version")
    search_fields = ("title", "body")
    hidden_links = frozenset({"documents"})
