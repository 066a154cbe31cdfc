"""Lists come in pages, and no page is larger than this."""

import re
from typing import TYPE_CHECKING

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination

if TYPE_CHECKING:  # the settings name this module, and these read the settings
    from rest_framework.request import Request


class Pages(LimitOffsetPagination):
    """Pages of 50, or of as many as `limit` asks for, up to 200."""

    default_limit = 50
    max_limit = 200

    def get_limit(self, request: "Request") -> int | None:
        _check_number(request, self.limit_query_param, lowest=1)
        return super().get_limit(request)

    def get_offset(self, request: "Request") -> int:
        _check_number(request, self.offset_query_param, lowest=0)
        return super().get_offset(request)


def _check_number(request: "Request", name: str, *, lowest: int) -> None:
    """:raises rest_framework.exceptions.ValidationError: it is no number that a page may have"""
    said = request.query_params.get(name)
    if said is not None and not (re.fullmatch("[0-9]{1,9}", said, re.ASCII) and int(said) >= lowest):
        raise ValidationError({name: [f"Send a whole number from {lowest} on."]})
