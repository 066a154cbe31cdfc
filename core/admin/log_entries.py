"""What staff did in the admin."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from core.admin.records import RecordAdmin, related_record_filter


@admin.register(LogEntry)
class LogEntryAdmin(RecordAdmin):
    list_display = ("action_time", "user", "content_type", "object_repr", "change_message")
    fields = ("action_time", "user", "content_type", "object_repr", "action_flag", "change_message")
    list_filter = ("action_time", "content_type", related_record_filter("user"))
    search_fields = ("object_repr", "change_message")
    list_select_related = ("user", "content_type")
    date_hierarchy = "action_time"
