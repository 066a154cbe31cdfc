"""What the description of the API says of every address."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from core.api.requests import KEY_HEADER


class DescribedAddress(AutoSchema):
    """Tell of the header that every write needs."""

    def get_override_parameters(self) -> list[Any]:
        handler = getattr(self.view, getattr(self.view, "action", None) or "", None)
        if not hasattr(handler, "is_idempotent"):
            return []
        return [
            OpenApiParameter(
                KEY_HEADER,
                location=OpenApiParameter.HEADER,
                required=True,
                description="New for each new request, the same when a request is repeated.",
            )
        ]
