"""Warnings about what a process can work without, but an operator should know."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError

from core import company_rules


@register(Tags.security, deploy=True)
def webhooks_can_be_verified(app_configs: Any, **_options: Any) -> list[CheckMessage]:
    if settings.LIGHT_WEBHOOK_SECRETS:
        return []
    return [
        checks.Warning(
            "LIGHT_WEBHOOK_SECRET is not set, so Light's webhooks are refused and news is found by polling only.",
            hint="Copy the secret from Light's dashboard.",
            id="switchyard.W001",
        )
    ]


@register(Tags.security, deploy=True)
def office_needs_second_factor(app_configs: Any, **_options: Any) -> list[CheckMessage]:
    if settings.STAFF_MFA_REQUIRED:
        return []
    return [
        checks.Warning(
            "STAFF_MFA_REQUIRED is no: one stolen password opens every customer's case.",
            hint="Leave it at auto.",
            id="switchyard.W002",
        )
    ]


@register(Tags.security, deploy=True)
def redis_is_verified(app_configs: Any, **_options: Any) -> list[CheckMessage]:
    return [
        checks.Warning(
            f"The Redis of {name} is not verified: any server at its address is trusted.",
            hint="Remove ssl_cert_reqs and ssl_check_hostname from the URL, and set REDIS_CA_FILE to its authority.",
            id="switchyard.W003",
        )
        for name, server in (("CELERY_BROKER_URL", settings.REDIS_BROKER), ("CACHE_URL", settings.REDIS_CACHE))
        if server is not None and server.is_unverified
    ]


@register(Tags.database)
def company_is_not_the_sample(
    app_configs: Any, databases: Sequence[str] | None = None, **_options: Any
) -> list[CheckMessage]:
    """Runs with `manage.py migrate` and `manage.py check --database default`."""
    if settings.SAMPLE_COMPANY_ALLOWED or not databases:
        return []
    try:
        left = company_rules.sample_values_left(company_rules.current_rules())
    except DatabaseError:
        return []  # the table is not made yet, or the database is away, which other checks report
    if not left:
        return []
    return [
        checks.Warning(
            f"Company rules still have the sample's {', '.join(left)}, so no power of attorney can be drafted.",
            hint="Sign in to /admin/ and add your own under “Company rules”.",
            id="switchyard.W004",
        )
    ]
