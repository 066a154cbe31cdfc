from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from core.admin.links import record_url
from core.admin.records import RecordAdmin, related_record_filter
from core.admin.tables import Cell, Table, display
from enrollments.models import Difference, ReconciliationRun

DIFFERENCES_SHOWN = 100


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(RecordAdmin):
    list_display = ("started_at", "started_by", "read_count", "matching_count", "unread_count", "state_label")
    list_filter = ("started_at",)
    fieldsets = (
        (None, {"fields": (("started_at", "finished_at"), "started_by")}),
        ("Accounts", {"fields": (("read_count", "matching_count", "unread_count"),)}),
    )

    @display(description="State", label={"Complete": "success", "Not complete": "warning"})
    def state_label(self, run: ReconciliationRun) -> str:
        return self.state_of(run)

    def state_of(self, record: ReconciliationRun) -> str:
        return "Complete" if record.is_complete else "Not complete" if record.finished_at else "Running"

    def tables_of(self, _request: HttpRequest, record: Any) -> list[Table]:
        found = list(record.differences.select_related("enrollment__customer")[: DIFFERENCES_SHOWN + 1])
        rows = [
            [
                Cell(each.get_kind_display(), record_url(each), tone="warning"),
                Cell(str(each.enrollment.customer), record_url(each.enrollment)) if each.enrollment else Cell("—"),
                Cell(each.ours or "—"),
                Cell(each.theirs or "—"),
                Cell(each.repair),
            ]
            for each in found[:DIFFERENCES_SHOWN]
        ]
        return [
            Table(
                title="Differences",
                shows=Difference,
                columns=("Difference", "Case", "Our record", "What Light shows", "What to do"),
                rows=rows,
                empty="None. Every account that was read matches our records.",
                note=f"Only the first {DIFFERENCES_SHOWN} are shown." if len(found) > DIFFERENCES_SHOWN else "",
            )
        ]


@admin.register(Difference)
class DifferenceAdmin(RecordAdmin):
    list_display = ("kind", "enrollment", "light_account_uuid", "ours", "theirs", "run")
    list_filter = ("kind", related_record_filter("run"))
    search_fields = ("light_account_uuid", "enrollment__site__esi_id", "enrollment__customer__last_name__unaccented")
    list_select_related = ("enrollment", "run")
    fieldsets = (
        (None, {"fields": (("kind", "run"), ("enrollment", "light_account_uuid"), "ours", "theirs", "repair")}),
    )
