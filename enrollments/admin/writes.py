from django.contrib import admin
from django.http import HttpRequest

from core.admin_site import Cell, RecordAdmin, Table, page_of
from enrollments.models import LightWrite, PlanOffer


@admin.register(LightWrite)
class LightWriteAdmin(RecordAdmin):
    list_display = ("opened_at", "kind", "status", "enrollment", "closed_at", "outcome")
    list_filter = ("status", "kind", "opened_at")
    search_fields = ("outcome", "enrollment__site__esi_id", "enrollment__customer__last_name__plainly")
    list_select_related = ("enrollment",)
    hidden_links = frozenset({"offers"})

    def tables_of(self, _request: HttpRequest, record: LightWrite) -> list[Table]:
        return [
            Table(
                title="Offers in the answer",
                shows=PlanOffer,
                columns=("Plan", "Within the limits"),
                rows=[
                    [
                        Cell(str(offer), page_of(offer)),
                        Cell("Fits", tone="good") if offer.fits else Cell("Fails", tone="bad"),
                    ]
                    for offer in record.offers.all()
                ],
                empty="None.",
            )
        ]
