"""
The bases of the admin: records, buttons, tables, links, words.

Its own pages are the company's rules and what staff did.
"""

from core.admin import company_rules, log_entries

__all__ = ["company_rules", "log_entries"]
