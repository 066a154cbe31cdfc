"""What is worth a warning at start although the process can work without it."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register


@register(Tags.security, deploy=True)
def webhooks_can_be_verified(app_configs: Any, **_options: Any) -> list[CheckMessage]:
    if settings.LIGHT_WEBHOOK_SECRETS:
        return []
    return [
        checks.Warning(
            "LIGHT_WEBHOOK_SECRET is not set, so news from Light is refused and found by polling only.",
            hint="Copy the secret from Light's dashboard.",
            id="switchyard.W001",
        )
    ]


@register(Tags.security, deploy=True)
def the_office_needs_a_second_step(app_configs: Any, **_options: Any) -> list[CheckMessage]:
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
            f"The Redis of {name} is not verified: any server at its address is believed.",
            hint="Take ssl_cert_reqs and ssl_check_hostname out of the URL, and name its authority in REDIS_CA_FILE.",
            id="switchyard.W003",
        )
        for name, server in (("CELERY_BROKER_URL", settings.REDIS_BROKER), ("CACHE_URL", settings.REDIS_CACHE))
        if server is not None and server.is_unverified
    ]
