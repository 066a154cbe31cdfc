"""Dates and times in the admin, in the same format as `core.dates.short_date` and `chicago_time`."""

DATE_FORMAT = "M j, Y"
DATETIME_FORMAT = "M j, Y, g:i A"
TIME_FORMAT = "g:i A"
