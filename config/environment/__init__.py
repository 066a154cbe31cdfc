"""
What the environment variables say: `read` for one of them, and the checks that every process makes at its start.

`variables` has the table, from which `docs/configuration.md` is generated too. A value that cannot be used is refused
with the variable's name and what it should look like.
"""

import difflib
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.environment.production_rules import Problem, production_problems
from config.environment.variables import VARIABLES, Variable

__all__ = ["VARIABLES", "Problem", "Variable", "check_environment", "check_production", "overrides", "read"]

OUR_PREFIXES = ("LIGHT_", "STORAGE_", "POA_", "ORGANIZATION_", "FIELD_ENCRYPTION_", "GO_LIVE_", "CELERY_")

Check = Callable[[], Any]
ProductionCheck = Callable[[], Iterable[Problem]]


def read(name: str, *, in_production: bool = False) -> Any:
    """Return the parsed value of a variable in the table, from the process's environment."""
    return VARIABLES[name].value_from(os.environ, in_production=in_production)


def overrides(prefix: str) -> dict[str, str]:
    """Return the variables with this prefix that are set, whole names with their texts; empty ones count as not set."""
    return {name: value.strip() for name, value in os.environ.items() if name.startswith(prefix) and value.strip()}


def check_environment(*further_checks: Check) -> None:
    """
    Check every variable, also those that nothing has asked for yet, and report everything that is wrong at once.

    `further_checks` raise ImproperlyConfigured; they are for what this package cannot know.

    :raises ImproperlyConfigured: one line per variable that cannot be used
    """
    problems: dict[str, None] = {}
    checks: list[Check] = [partial(read, name) for name in VARIABLES]
    for check in [*checks, *further_checks, check_for_misspellings]:
        try:
            check()
        except ImproperlyConfigured as problem:
            problems[str(problem)] = None
    if problems:
        raise ImproperlyConfigured("\n".join(problems))


def check_for_misspellings() -> None:
    """:raises ImproperlyConfigured: a variable is almost one of ours, and would be ignored silently"""
    for name in sorted(os.environ):
        if name in VARIABLES or not name.startswith(OUR_PREFIXES):
            continue
        near = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.8)
        if near:
            raise ImproperlyConfigured(f"{name} is not a setting of Switchyard. Did you mean {near[0]}?")


def check_production(*further_checks: Check, further_rules: Iterable[ProductionCheck] = ()) -> None:
    """
    Refuse settings that work on one machine only, and secrets that anyone could guess.

    :raises ImproperlyConfigured: one line per variable that must change
    """
    check_environment(*further_checks)
    found = [*production_problems(read), *(problem for rule in further_rules for problem in rule())]
    if found:
        lines = [f"{name} cannot be used in production: {problem}." for name, problem in found]
        raise ImproperlyConfigured("\n".join(lines))
