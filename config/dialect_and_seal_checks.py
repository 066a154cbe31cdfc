"""Checks of environment variables whose rules an app knows: how Light's API is read, and the key of the seal."""

from collections.abc import Iterator
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.environment import Problem, overrides, read
from core.clock import SystemClock
from enrollments.light.dialect import Dialect
from enrollments.light.dialect_settings import OVERRIDE_PREFIX, DialectNotUnderstood, read_dialect
from poa_documents.seal.keys import SealKeyUnusable, read_key


def read_light_dialect() -> Dialect:
    """:raises ImproperlyConfigured: names the variable and what it should look like"""
    try:
        return read_dialect(read("LIGHT_DIALECT"), overrides(OVERRIDE_PREFIX))
    except DialectNotUnderstood as problem:
        raise ImproperlyConfigured(str(problem)) from problem


def seal_key_problems() -> Iterator[Problem]:
    """Yield why the key cannot seal documents of customers; a missing one is reported by the rules of production."""
    file = read("POA_SEAL_KEY_FILE")
    if not file:
        return
    try:
        key = read_key(Path(file), read("POA_SEAL_PASSPHRASE"))
        key.check_in_force(SystemClock().now())
    except SealKeyUnusable as problem:
        yield "POA_SEAL_KEY_FILE", str(problem).rstrip(".")
    else:
        if key.is_for_development:
            yield "POA_SEAL_KEY_FILE", "it is the key of the embedded mode, which proves nothing to anyone else"
