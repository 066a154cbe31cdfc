"""Admin pages of people, groups, API clients and API keys."""

from accounts.admin import api_clients, api_keys, people

__all__ = ["api_clients", "api_keys", "people"]
