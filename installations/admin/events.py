from django.contrib import admin

from core.admin_site import RecordAdmin
from installations.models import InstallationEvent


@admin.register(InstallationEvent)
class InstallationEventAdmin(RecordAdmin):
    list_display = ("at", "installation", "__str__", "old_status", "new_status", "actor", "reason")
    list_filter = ("name", "at")
    search_fields = ("installation__site__esi_id", "installation__customer__last_name__plainly", "reason")
    list_select_related = ("installation__site",)
