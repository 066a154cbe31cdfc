"""
How long a signed-in session lasts: some hours in all, and less when nobody uses it.

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


def begin(session: SessionBase) -> None:
    """Start counting, when somebody has just signed in."""
    session[SIGNED_IN_KEY] = session[SEEN_KEY] = int(time.time())


def is_over(session: SessionBase, user: User) -> bool:
    """Whether the hours are up, or the session lay idle for too long."""
    now = int(time.time())
    idle_minutes = settings.SESSION_IDLE_MINUTES if user.is_staff else settings.FIELD_SESSION_IDLE_MINUTES
    signed_in_at, seen_at = session.get(SIGNED_IN_KEY, now), session.get(SEEN_KEY, now)
    return bool(now - signed_in_at >= settings.SESSION_COOKIE_AGE or now - seen_at >= idle_minutes * 60)


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
