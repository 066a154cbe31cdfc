from django.contrib import admin

from core.admin_site import RecordAdmin
from enrollments.models import EnrollmentEvent


@admin.register(EnrollmentEvent)
class EnrollmentEventAdmin(RecordAdmin):
    list_display = ("at", "enrollment", "__str__", "old_status", "new_status", "actor", "reason")
    list_filter = ("name", "at")
    search_fields = ("enrollment__site__esi_id", "enrollment__customer__last_name__plainly", "reason")
    list_select_related = ("enrollment",)
