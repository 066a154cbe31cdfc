"""Records that only the system writes. Read-only, with no buttons."""

from django.contrib import admin
from django.http import HttpRequest

from core.admin.filters import EventNameFilter
from core.admin.links import record_url
from core.admin.records import RecordAdmin
from core.admin.tables import Cell, Table, display
from enrollments.models import (
    AcceptAttempt,
    AdvanceNotice,
    EnrollmentEvent,
    EvidencePackRead,
    LightWrite,
    PlanOffer,
    RemoteCall,
)
from enrollments.states import status_label


@admin.register(AcceptAttempt)
class AcceptAttemptAdmin(RecordAdmin):
    list_display = ("offer", "enrollment", "poa", "esi_id", "service_start_date", "chicago_date", "succeeded")
    list_filter = ("succeeded", "chicago_date")
    search_fields = ("esi_id", "poa_sha256", "enrollment__customer__last_name__unaccented")
    list_select_related = ("offer", "enrollment", "poa__customer")
    fieldsets = (
        (None, {"fields": (("enrollment", "write"), ("offer", "service_start_date"), ("esi_id", "succeeded"))}),
        ("Authority", {"fields": (("poa", "poa_use"), "poa_sha256", "chicago_date")}),
    )


@admin.register(EnrollmentEvent)
class EnrollmentEventAdmin(RecordAdmin):
    list_display = ("at", "enrollment", "__str__", "old_status_label", "new_status_label", "actor", "reason")
    list_filter = (("name", EventNameFilter), "at")
    search_fields = ("enrollment__site__esi_id", "enrollment__customer__last_name__unaccented", "reason")
    list_select_related = ("enrollment",)
    fields = (("enrollment", "at"), ("old_status_label", "new_status_label"), ("actor", "reason"))

    @display(description="Old status", ordering="old_status")
    def old_status_label(self, event: EnrollmentEvent) -> str:
        return status_label(event.old_status)

    @display(description="New status", ordering="new_status")
    def new_status_label(self, event: EnrollmentEvent) -> str:
        return status_label(event.new_status)


@admin.register(EvidencePackRead)
class EvidencePackReadAdmin(RecordAdmin):
    list_display = ("at", "enrollment", "actor", "sha256", "size_bytes")
    list_filter = ("at",)
    search_fields = ("sha256", "actor", "enrollment__site__esi_id")
    list_select_related = ("enrollment",)
    fields = (("enrollment", "actor", "at"), ("sha256", "size_bytes"), "newest_fact_at", "missing")


@admin.register(AdvanceNotice)
class AdvanceNoticeAdmin(RecordAdmin):
    list_display = ("offer", "enrollment", "start_date", "given_at", "until")
    list_filter = ("given_at",)
    search_fields = ("enrollment__site__esi_id", "enrollment__customer__last_name__unaccented", "offer__name")
    list_select_related = ("enrollment", "offer")
    fieldsets = ((None, {"fields": (("enrollment", "poa"), ("offer", "start_date"), ("given_at", "until"))}),)


@admin.register(RemoteCall)
class RemoteCallAdmin(RecordAdmin):
    list_display = ("at", "purpose", "method", "path", "http_status", "rounded_seconds", "enrollment", "problem")
    list_filter = ("purpose", "http_status", "at")
    search_fields = ("path", "problem", "enrollment__site__esi_id", "enrollment__customer__last_name__unaccented")
    list_select_related = ("enrollment",)

    @display(description="Seconds", ordering="seconds")
    def rounded_seconds(self, call: RemoteCall) -> str:
        return f"{call.seconds:.2f}"


@admin.register(LightWrite)
class LightWriteAdmin(RecordAdmin):
    list_display = ("opened_at", "kind", "status", "enrollment", "closed_at", "outcome")
    list_filter = ("status", "kind", "opened_at")
    search_fields = ("outcome", "enrollment__site__esi_id", "enrollment__customer__last_name__unaccented")
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
                        Cell(str(offer), record_url(offer)),
                        Cell("Fits", tone="good") if offer.fits else Cell("Fails", tone="bad"),
                    ]
                    for offer in record.offers.all()
                ],
                empty="None",
            )
        ]
