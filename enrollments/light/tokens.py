"""Account tokens. They are kept in memory only, and never longer than Light allows."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

STALE_BEFORE_EXPIRY = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class AccountToken:
    """One account's token. The repr hides its text."""

    text: str = field(repr=False)
    expires_at: datetime

    def is_fresh(self, *, now: datetime) -> bool:
        """Whether it can still be used. It cannot in its last five minutes."""
        return now < self.expires_at - STALE_BEFORE_EXPIRY


class TokenStore:
    """This process's tokens by account. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, AccountToken] = {}

    def fresh(self, account_uuid: str, *, now: datetime) -> AccountToken | None:
        """Return the account's token, or None if there is none or it is stale. Stale tokens are dropped."""
        with self._lock:
            token = self._tokens.get(account_uuid)
            if token is not None and not token.is_fresh(now=now):
                del self._tokens[account_uuid]
                return None
            return token

    def keep(self, account_uuid: str, token: AccountToken, *, now: datetime) -> None:
        """Replace the account's token and drop all stale ones."""
        with self._lock:
            self._tokens = {uuid: kept for uuid, kept in self._tokens.items() if kept.is_fresh(now=now)}
            self._tokens[account_uuid] = token

    def texts(self) -> tuple[str, ...]:
        """Return the token texts, so that they can be removed from messages."""
        with self._lock:
            return tuple(token.text for token in self._tokens.values())

    def forget(self, account_uuid: str) -> None:
        with self._lock:
            self._tokens.pop(account_uuid, None)
