"""Pages of lists, with a maximum size."""

import re
from typing import TYPE_CHECKING

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination

if TYPE_CHECKING:  # the settings name this module, and these read the settings
    from rest_framework.request import Request


class PagedList(LimitOffsetPagination):
    """50 records per page, or `limit` of them, up to 200."""

    default_limit = 50
    max_limit = 200

    def get_limit(self, request: "Request") -> int | None:
        _check_number(request, self.limit_query_param, lowest=1)
        return super().get_limit(request)

    def get_offset(self, request: "Request") -> int:
        _check_number(request, self.offset_query_param, lowest=0)
        return super().get_offset(request)


def _check_number(request: "Request", name: str, *, lowest: int) -> None:
    """:raises rest_framework.exceptions.ValidationError: not a whole number, or too small"""
    said = request.query_params.get(name)
    if said is not None and not (re.fullmatch("[0-9]{1,9}", said, re.ASCII) and int(said) >= lowest):
        raise ValidationError({name: [f"Send a whole number of at least {lowest}."]})
