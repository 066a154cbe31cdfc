from django.contrib import admin

from core.admin.records import RecordAdmin
from core.admin.tables import display
from enrollments.models import DatabasePlace, LightPace, SystemHold


@admin.register(SystemHold)
class SystemHoldAdmin(RecordAdmin):
    """Read-only. System holds are set and released with management commands."""

    list_display = ("__str__", "reason", "started_at", "started_by", "state_label")
    list_filter = ("started_at",)
    search_fields = ("reason",)

    @display(description="State", label={"In force": "danger", "Ended": "success"})
    def state_label(self, found: SystemHold) -> str:
        return self.state_of(found)

    def state_of(self, record: SystemHold) -> str:
        return "Ended" if record.ended_at else "In force"


@admin.register(DatabasePlace)
class DatabasePlaceAdmin(RecordAdmin):
    list_display = ("place", "since")


@admin.register(LightPace)
class LightPaceAdmin(RecordAdmin):
    list_display = ("__str__", "free_at", "seconds_per_call")
