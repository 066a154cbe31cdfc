from django.contrib import admin
from django.http import HttpRequest

from core.admin.records import PublicIdAdmin
from poa_documents.limited_fields import Unit, names_of
from poa_documents.models import PlanPromise


@admin.register(PlanPromise)
class PlanPromiseAdmin(PublicIdAdmin):
    """The catalog of what is sold. Editing it is safe: every POA carries its own copy of the limits."""

    list_display = ("name", "is_offered", "rate_kind", "max_average_cents_per_kwh_1000", "max_term_months")
    list_filter = ("is_offered", "rate_kind")
    search_fields = ("name", "light_plan_group")
    compressed_fields = True
    fieldsets = (
        (None, {"fields": (("name", "is_offered"), names_of(Unit.PLAN_GROUP, Unit.RATE_KIND))}),
        (
            "Limits that customers are asked to sign",
            {
                "fields": (
                    names_of(Unit.CENTS_PER_KWH),
                    names_of(Unit.DOLLARS),
                    names_of(Unit.MONTHS),
                )
            },
        ),
        ("In plain words", {"fields": ("summary_en", "summary_es")}),
    )

    def has_delete_permission(self, _request: HttpRequest, _promise: PlanPromise | None = None) -> bool:
        """A promise is no longer offered, never deleted: documents name it."""
        return False
