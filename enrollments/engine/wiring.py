"""Builds the Light client and the engine from the settings. The only module that does."""

from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from functools import cache

from django.conf import settings

from core import clock_drift
from core.clock import configured_clock, machine_now
from core.company_rules import current_rules
from enrollments.actions.writes import Tools
from enrollments.decision import start_dates
from enrollments.decision.policy import Policy
from enrollments.engine.engine import Engine
from enrollments.engine.leases import LeaseKeeper
from enrollments.engine.shared_pace import SharedPace
from enrollments.light.client import LightClient
from enrollments.light.deadlines import Route
from enrollments.light.documents import DocumentFetcher
from enrollments.light.pace_interface import Pace
from enrollments.light.transport import Exchange
from enrollments.models import RemoteCall

current_enrollment_id: ContextVar[int | None] = ContextVar("current_enrollment_id", default=None)
"""The enrollment that this thread calls Light for, for the call log."""


@cache
def light_client() -> LightClient:
    """Return the process's only client, shared by its threads."""
    return _client(pace=shared_pace())


@cache
def hosted_pages_client() -> LightClient:
    """Return a client with shorter timeouts, because a person is waiting on the page."""
    limited = shared_pace()
    pace = None if limited is None else replace(limited, max_wait_seconds=2)
    return _client(connect_seconds=2, read_seconds=4, pace=pace)


def shared_pace() -> SharedPace | None:
    """Return the rate limit for calls to Light across all processes, or None if none is set."""
    allowed = settings.LIGHT_CALLS_PER_SECOND
    return SharedPace(allowed) if allowed else None


def _client(*, connect_seconds: float = 5, read_seconds: float = 30, pace: Pace | None) -> LightClient:
    return LightClient(
        base_url=settings.LIGHT_API_URL,
        app_token=settings.LIGHT_APP_TOKEN,
        dialect=settings.LIGHT_DIALECT,
        observe=_record_call,
        pace=pace,
        route=_route(),
        clock=configured_clock().now,
        connect_timeout_seconds=connect_seconds,
        read_timeout_seconds=read_seconds,
    )


def document_fetcher() -> DocumentFetcher:
    return DocumentFetcher(
        allowed_origins=[settings.LIGHT_API_URL, *settings.LIGHT_DOCUMENT_ORIGINS],
        observe=_record_call,
        route=_route(),
    )


def _route() -> Route:
    return Route(proxy_url=settings.LIGHT_PROXY_URL, ca_file=settings.LIGHT_CA_FILE)


def policy() -> Policy:
    return Policy(
        window=start_dates.DEFAULT_WINDOW,
        max_call_duration=timedelta(seconds=light_client().max_call_seconds),
        settling_period=timedelta(seconds=settings.DOUBT_SETTLING_SECONDS),
        notice_days=current_rules().advance_notice_days,
    )


@cache
def lease_keeper() -> LeaseKeeper:
    """Return the process's only lease keeper."""
    return LeaseKeeper(configured_clock())


def tools() -> Tools:
    return Tools(light=light_client(), clock=configured_clock(), policy=policy())


def engine() -> Engine:
    return Engine(tools(), keep_lease=lease_keeper())


def _record_call(exchange: Exchange) -> None:
    if exchange.date is not None:
        received_at = machine_now()
        sent_at = received_at - timedelta(seconds=exchange.seconds)
        clock_drift.note_light_date(exchange.date, sent_at=sent_at, received_at=received_at)
    RemoteCall.objects.create(
        enrollment_id=current_enrollment_id.get(),
        purpose=exchange.purpose[:40],
        method=exchange.method,
        path=exchange.path[:200],
        http_status=exchange.status,
        seconds=exchange.seconds,
        problem=exchange.error or "",
        at=configured_clock().now(),
    )
