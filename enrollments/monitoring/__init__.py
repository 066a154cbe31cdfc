"""Alarms and measurements for operators."""
