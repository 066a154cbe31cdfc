"""
How long a session lasts: `SESSION_HOURS`, and less when nobody uses it.

The machine's own clock counts: when weeks pass in a demonstration, nobody has been away.
"""

import time

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.utils import timezone

SIGNED_IN_KEY = "signed_in_at"
SEEN_KEY = "seen_at"
SECONDS_BETWEEN_NOTES = 60
OFFICE_IDLE_SECONDS = 60 * 60
FIELD_IDLE_SECONDS = 10 * 60 * 60
"""Technicians are often without a signal for hours."""


def begin(session: SessionBase) -> None:
    """Start counting, when somebody has just signed in."""
    session[SIGNED_IN_KEY] = session[SEEN_KEY] = int(time.time())


def is_over(session: SessionBase, user: User) -> bool:
    """Whether the hours are up, or the session lay idle for too long."""
    now = int(time.time())
    idle_seconds = OFFICE_IDLE_SECONDS if user.is_staff else FIELD_IDLE_SECONDS
    signed_in_at, seen_at = session.get(SIGNED_IN_KEY, now), session.get(SEEN_KEY, now)
    return bool(now - signed_in_at >= settings.SESSION_COOKIE_AGE or now - seen_at >= idle_seconds)


def note_use(session: SessionBase) -> None:
    """Remember that the session is in use; at most one write a minute."""
    if SIGNED_IN_KEY not in session:
        begin(session)
    elif int(time.time()) - session.get(SEEN_KEY, 0) >= SECONDS_BETWEEN_NOTES:
        session[SEEN_KEY] = int(time.time())


def end_all_of(user: User) -> None:
    """Sign a person out everywhere. Whose a session is stands only inside it, so all of them are read: a rare act."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
