"""
Session lifetime: `SESSION_HOURS`, less when the session is idle.

Times come from the machine's clock, not the demo's, so that sessions do not expire when a demo skips weeks.
"""

import time

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import User

SIGNED_IN_KEY = "signed_in_at"
SEEN_KEY = "seen_at"
SECONDS_BETWEEN_UPDATES = 60
OFFICE_IDLE_SECONDS = 60 * 60
FIELD_IDLE_SECONDS = 10 * 60 * 60
"""Technicians are often without a signal for hours."""


def start(session: SessionBase) -> None:
    """Record the time of the sign-in."""
    session[SIGNED_IN_KEY] = session[SEEN_KEY] = int(time.time())


def has_expired(session: SessionBase, user: User) -> bool:
    """Whether the session is too old, or was idle for too long."""
    now = int(time.time())
    idle_seconds = OFFICE_IDLE_SECONDS if user.is_staff else FIELD_IDLE_SECONDS
    signed_in_at, seen_at = session.get(SIGNED_IN_KEY, now), session.get(SEEN_KEY, now)
    return bool(now - signed_in_at >= settings.SESSION_COOKIE_AGE or now - seen_at >= idle_seconds)


def record_use(session: SessionBase) -> None:
    """Record that the session is in use, at most once a minute."""
    if SIGNED_IN_KEY not in session:
        start(session)
    elif int(time.time()) - session.get(SEEN_KEY, 0) >= SECONDS_BETWEEN_UPDATES:
        session[SEEN_KEY] = int(time.time())


def end_sessions_of(user: User) -> None:
    """Sign a person out everywhere. Sessions can only be matched to a person by reading all of them; this is rare."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
