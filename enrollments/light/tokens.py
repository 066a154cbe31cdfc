"""Account tokens: kept in memory only, never longer than Light allows."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

STALE_BEFORE_EXPIRY = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class AccountToken:
    """One account's token; its text never shows in a repr."""

    text: str = field(repr=False)
    expires_at: datetime

    def is_fresh(self, *, now: datetime) -> bool:
        """Say whether it can still be used; five minutes before its end it cannot."""
        return now < self.expires_at - STALE_BEFORE_EXPIRY


class TokenStore:
    """The tokens of this process by account. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, AccountToken] = {}

    def fresh(self, account_uuid: str, *, now: datetime) -> AccountToken | None:
        """Return the account's token, or None when there is none or it is stale; stale ones are dropped."""
        with self._lock:
            token = self._tokens.get(account_uuid)
            if token is not None and not token.is_fresh(now=now):
                del self._tokens[account_uuid]
                return None
            return token

    def keep(self, account_uuid: str, token: AccountToken, *, now: datetime) -> None:
        """Keep the token in place of any earlier one, and drop all that have gone stale."""
        with self._lock:
            self._tokens = {uuid: kept for uuid, kept in self._tokens.items() if kept.is_fresh(now=now)}
            self._tokens[account_uuid] = token

    def texts(self) -> tuple[str, ...]:
        """List the tokens themselves, so that they can be kept out of messages."""
        with self._lock:
            return tuple(token.text for token in self._tokens.values())

    def forget(self, account_uuid: str) -> None:
        """Drop the account's token, if there is one."""
        with self._lock:
            self._tokens.pop(account_uuid, None)
