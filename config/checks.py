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
