"""The stand-in's state, kept in memory."""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from simulator.accounts import Account
from simulator.clock import SimulatorClock, iso_instant
from simulator.dialect import REFERENCE, Dialect
from simulator.faults import FaultPlan
from simulator.responses import NotFound
from simulator.webhooks import WebhookSender, event_body

__all__ = ["OTHER_APP_TOKEN", "AccountToken", "HostedSession", "InvalidSettings", "Settings", "World", "has_type_of"]

MAIN_APP_UUID = "6f0c2a3e-91d4-4d5c-8f6b-2a1b3c4d5e6f"
OTHER_APP_UUID = "0dd0a990-0000-4000-8000-000000000002"
OTHER_APP_TOKEN = "sim-other-app-token"  # noqa: S105 - the stand-in's token of another App

_LOG_LENGTH = 5000


class InvalidSettings(ValueError):
    """A setting has an unknown name or an invalid value."""


def has_type_of(value: object, default: object) -> bool:
    """Whether a value has the default's type. An integer is accepted for a float."""
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


@dataclass
class Settings:
    read_lag_seconds: float = 0.0
    """Delay until an acceptance shows in reads."""
    read_lag_clock: str = "simulator"
    """Whether the lag runs on the "simulator" clock or on the "wall" clock."""
    slow_seconds: float = 2.0
    """Delay of responses about `+slow` accounts, in wall seconds."""
    max_concurrent_calls: int = 0
    """How many calls are served at a time while others queue; 0 means no limit."""
    credit_check_seconds: float = 0.0
    """How long a credit check stays pending, on the stand-in's clock."""
    price_factor: str = "1"
    """Multiplies all energy prices from now on, as decimal text."""
    offers_per_plan: int = 1
    """How many times each plan is offered, with different identifiers."""
    live: bool = False
    """A live App: sandbox calls return 403."""

    def change(self, wanted: Mapping[str, object]) -> None:
        for key, value in wanted.items():
            if key not in self.__dataclass_fields__:
                raise InvalidSettings(f"Unknown setting {key!r}. Known: {', '.join(self.__dataclass_fields__)}.")
            default = getattr(type(self), key)
            if not has_type_of(value, default):
                raise InvalidSettings(f"{key} must be of type {type(default).__name__}.")
            if key == "read_lag_clock" and value not in ("simulator", "wall"):
                raise InvalidSettings("read_lag_clock must be simulator or wall.")
            if key == "price_factor" and not re.fullmatch(r"\d+(\.\d+)?", str(value)):
                raise InvalidSettings("price_factor must be decimal text such as 1.25.")
            setattr(self, key, value)


@dataclass(frozen=True)
class AccountToken:
    account_uuid: str
    expires_at: datetime


@dataclass
class HostedSession:
    account_uuid: str
    scope: str
    plan_group: str | None
    expires_at: datetime
    is_closed: bool = False


@dataclass
class World:
    app_token: str
    webhook_secret: str
    webhook_url: str = ""
    dialect: Dialect = REFERENCE
    public_url: str = ""
    clock: SimulatorClock = field(default_factory=SimulatorClock)
    settings: Settings = field(default_factory=Settings)
    faults: FaultPlan = field(default_factory=FaultPlan)
    accounts: dict[str, Account] = field(default_factory=dict)
    account_tokens: dict[str, AccountToken] = field(default_factory=dict)
    hosted_sessions: dict[str, HostedSession] = field(default_factory=dict)
    acceptances: list[dict[str, object]] = field(default_factory=list)
    request_log: list[dict[str, object]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._initial_dialect = self.dialect
        self._initial_webhook_url = self.webhook_url
        self.webhooks = WebhookSender(
            clock=self.clock, dialect=lambda: self.dialect, secret=self.webhook_secret, url=self.webhook_url
        )

    def reset(self) -> None:
        """Delete everything and restore the initial settings."""
        self.dialect = self._initial_dialect
        self.webhooks.clear()
        self.webhooks.url = self._initial_webhook_url
        self.clock.reset()
        self.settings = Settings()
        self.faults.clear()
        for records in (self.accounts, self.account_tokens, self.hosted_sessions):
            records.clear()
        self.acceptances.clear()
        self.request_log.clear()

    def now(self) -> datetime:
        return self.clock.now()

    def account(self, account_uuid: str) -> Account:
        account = self.accounts.get(account_uuid.lower())
        if account is None:
            raise NotFound("Account not found.")
        return account

    def app_of_token(self, token: str) -> str | None:
        return {self.app_token: MAIN_APP_UUID, OTHER_APP_TOKEN: OTHER_APP_UUID}.get(token)

    def live_account_token(self, token: str) -> AccountToken | None:
        found = self.account_tokens.get(token)
        return found if found is not None and self.now() < found.expires_at else None

    def emit(self, event: str, account: Account | None, **extra: Any) -> str:
        """Queue an event about an account, with its location if it has one. Return the event's UUID."""
        location_uuid = None
        if account is not None and account.acceptance is not None and event != "enrollment.plan_requested":
            location_uuid = account.acceptance.location_uuid
        event_uuid = str(uuid4())
        body = event_body(
            self.dialect,
            event=event,
            event_uuid=event_uuid,
            at=self.now(),
            app_uuid=account.app_uuid if account else MAIN_APP_UUID,
            account_uuid=account.uuid if account else None,
            location_uuid=location_uuid,
            extra=extra,
        )
        account_uuid = account.uuid if account else None
        self.webhooks.queue(event=event, account_uuid=account_uuid, body=body, event_uuid=event_uuid)
        return event_uuid

    def shows_acceptance(self, account: Account) -> bool:
        """Whether a read already shows the acceptance."""
        if account.acceptance is None:
            return False
        if self.settings.read_lag_clock == "wall":
            waited = time.monotonic() - account.acceptance.accepted_monotonic
            return waited >= self.settings.read_lag_seconds
        return self.now() >= account.acceptance.accepted_at + timedelta(seconds=self.settings.read_lag_seconds)

    def price_factor(self) -> Decimal:
        return Decimal(self.settings.price_factor)

    def log_request(self, **entry: object) -> None:
        self.request_log.append({"at": iso_instant(self.now()), **entry})
        del self.request_log[:-_LOG_LENGTH]
