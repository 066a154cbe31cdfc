from django.contrib import admin

from core.admin_site import RecordAdmin
from poa_documents.models import Envelope


@admin.register(Envelope)
class EnvelopeAdmin(RecordAdmin):
    list_display = ("plan_name", "esi_id", "highest_average_cents_per_kwh_1000", "sunset_date", "uses")
    list_filter = ("rate_kind", "sunset_date")
    search_fields = ("plan_name", "esi_id", "poa__customer__last_name__plainly")
