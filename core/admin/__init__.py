"""Base classes for every app's admin. Its own pages are the company rules and the list of what staff did."""

from core.admin import company_rules, log_entries

__all__ = ["company_rules", "log_entries"]
