from django.contrib import admin

from core.admin.filters import EventNameFilter
from core.admin.records import RecordAdmin
from core.admin.tables import display
from installations.models import ContactChange, InstallationEvent
from installations.states import status_label


@admin.register(ContactChange)
class ContactChangeAdmin(RecordAdmin):
    list_display = ("changed_at", "customer", "old_email", "new_email", "proof", "proved_by", "settled_at")
    list_filter = ("changed_at", "proof", "settled_at")
    search_fields = ("customer__first_name__unaccented", "customer__last_name__unaccented", "old_email", "new_email")
    list_select_related = ("customer",)


@admin.register(InstallationEvent)
class InstallationEventAdmin(RecordAdmin):
    list_display = ("at", "installation", "__str__", "old_status_label", "new_status_label", "actor", "reason")
    list_filter = (("name", EventNameFilter), "at")
    search_fields = ("installation__site__esi_id", "installation__customer__last_name__unaccented", "reason")
    list_select_related = ("installation__site",)
    fields = (("installation", "at"), ("old_status_label", "new_status_label"), ("actor", "reason"))

    @display(description="Old status", ordering="old_status")
    def old_status_label(self, event: InstallationEvent) -> str:
        return status_label(event.old_status)

    @display(description="New status", ordering="new_status")
    def new_status_label(self, event: InstallationEvent) -> str:
        return status_label(event.new_status)
