from django.contrib import admin
from django.http import HttpRequest

from core.admin.records import RecordAdmin
from core.admin.tables import Table, display
from enrollments.models import PlanOffer
from enrollments.presenters import verdict_table
from poa_documents.limited_fields import Unit, names_of


@admin.register(PlanOffer)
class PlanOfferAdmin(RecordAdmin):
    list_display = (
        "__str__",
        "enrollment",
        "average_cents_per_kwh_1000",
        "term_months",
        "does_fit",
        "requested_at",
        "stale_at",
    )
    list_filter = ("fits", "requested_at")
    search_fields = ("name", "light_plan_uuid", "esi_id", "enrollment__customer__last_name__unaccented")
    list_select_related = ("enrollment",)
    fieldsets = (
        (None, {"fields": (("name", "light_plan_uuid"), ("enrollment", "write"), ("requested_at", "stale_at"))}),
        (
            "Prices",
            {
                "fields": (
                    names_of(Unit.CENTS_PER_KWH, offered=True),
                    (*names_of(Unit.DOLLARS, offered=True), "energy_cents_per_kwh"),
                )
            },
        ),
        (
            "Terms",
            {
                "fields": (
                    names_of(Unit.RATE_KIND, Unit.MONTHS, offered=True),
                    names_of(Unit.ESI_ID, Unit.PLAN_GROUP, offered=True),
                    "efl_url",
                    "tos_url",
                    "yrac_url",
                )
            },
        ),
        ("As Light sent it", {"fields": ("raw",), "classes": ("collapse",)}),
    )

    @display(description="Within the limits", ordering="fits", label={"Fits": "success", "Fails": "danger"})
    def does_fit(self, offer: PlanOffer) -> str:
        return "Fits" if offer.fits else "Fails"

    def tables_of(self, _request: HttpRequest, record: PlanOffer) -> list[Table]:
        return [verdict_table(record)]
