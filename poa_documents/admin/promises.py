from django.contrib import admin
from django.http import HttpRequest

from core.admin_site import ModelAdmin
from poa_documents.models import PlanPromise


@admin.register(PlanPromise)
class PlanPromiseAdmin(ModelAdmin):  # type: ignore[misc]  # the skin ships no types
    """The catalog of what is sold. Editing it is safe: every POA carries its own copy of the limits."""

    list_display = ("name", "is_offered", "rate_kind", "highest_average_cents_per_kwh_1000", "longest_term_months")
    list_filter = ("is_offered", "rate_kind")
    search_fields = ("name", "light_plan_group")
    compressed_fields = True
    fieldsets = (
        (None, {"fields": (("name", "is_offered"), ("light_plan_group", "rate_kind"))}),
        (
            "Limits that customers are asked to sign",
            {
                "fields": (
                    (
                        "highest_average_cents_per_kwh_500",
                        "highest_average_cents_per_kwh_1000",
                        "highest_average_cents_per_kwh_2000",
                    ),
                    ("highest_base_fee_dollars", "highest_termination_fee_dollars"),
                    ("longest_term_months", "lowest_buyback_cents_per_kwh"),
                )
            },
        ),
        ("In plain words", {"fields": ("summary_en", "summary_es")}),
    )

    def has_delete_permission(self, _request: HttpRequest, _promise: PlanPromise | None = None) -> bool:
        """A promise is no longer offered, never deleted: documents name it."""
        return False
