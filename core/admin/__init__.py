"""The bases of the admin: records, buttons, tables, links, words. Its own page is the list of what staff did."""

from core.admin import log_entries

__all__ = ["log_entries"]
