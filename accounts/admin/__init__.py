"""The admin's pages about accounts: people, groups, API clients and keys."""

from accounts.admin import api_clients, api_keys, people

__all__ = ["api_clients", "api_keys", "people"]
