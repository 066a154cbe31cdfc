from django.contrib import admin
from django.http import HttpRequest

from core.admin_site import RecordAdmin, Table, display
from enrollments.models import PlanOffer
from enrollments.presenters import verdict_table


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
    search_fields = ("name", "light_plan_uuid", "esi_id", "enrollment__customer__last_name__plainly")
    list_select_related = ("enrollment",)
    fieldsets = (
        (None, {"fields": (("name", "light_plan_uuid"), ("enrollment", "write"), ("requested_at", "stale_at"))}),
        (
            "Prices",
            {
                "fields": (
                    ("average_cents_per_kwh_500", "average_cents_per_kwh_1000", "average_cents_per_kwh_2000"),
                    ("energy_cents_per_kwh", "base_fee_dollars", "buyback_cents_per_kwh"),
                )
            },
        ),
        (
            "Terms",
            {
                "fields": (
                    ("rate_kind", "term_months", "termination_fee_dollars"),
                    ("esi_id", "light_plan_group"),
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
