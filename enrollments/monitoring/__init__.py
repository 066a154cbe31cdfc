"""Alarms and measures of enrollments, for operators."""
