"""Filters and orderings that reject unknown parameters instead of ignoring them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter

from core.api.error_messages import shorten_names

if TYPE_CHECKING:  # the settings name this module, and these read the settings
    from django.db.models import QuerySet
    from rest_framework.request import Request


class StrictFilterBackend(DjangoFilterBackend):  # type: ignore[misc]  # django-filter has no types
    """Accept the list's parameters, each at most once. A single record takes none."""

    def filter_queryset(self, request: "Request", queryset: "QuerySet[Any]", view: Any) -> "QuerySet[Any]":
        filters = self.get_filterset_class(view, queryset) if _is_list(view) else None
        check_parameters(request, [*(filters.base_filters if filters else ()), *_paging_parameters(view)])
        found: QuerySet[Any] = super().filter_queryset(request, queryset, view) if filters else queryset
        return found


class StrictOrderingFilter(OrderingFilter):
    def remove_invalid_fields(
        self, queryset: "QuerySet[Any]", fields: Iterable[str], view: Any, request: "Request"
    ) -> list[str]:
        allowed = [name for name, _label in self.get_valid_fields(queryset, view, {"request": request})]
        unknown = [name for name in fields if name.removeprefix("-") not in allowed]
        if unknown:
            text = f"This list can be ordered by: {', '.join(allowed)}. Put a minus in front to reverse the order."
            raise ValidationError({self.ordering_param: [text]})
        return [*fields, "pk"]  # records with the same value keep their place from page to page


def check_parameters(request: "Request", taken: Iterable[str]) -> None:
    """:raises rest_framework.exceptions.ValidationError: an unknown parameter, or one sent twice"""
    sent, taken = request.query_params, list(taken)
    unknown = set(sent) - set(taken)
    if unknown:
        text = f"Unknown parameter. This endpoint accepts: {', '.join(taken) or 'none'}."
        raise ValidationError({name: [text] for name in shorten_names(unknown)})
    twice = [name for name in sent if len(sent.getlist(name)) > 1]
    if twice:
        raise ValidationError({name: ["Send this parameter once."] for name in shorten_names(twice)})


def _is_list(view: Any) -> bool:
    return not view.detail


def _paging_parameters(view: Any) -> list[str]:
    if not _is_list(view):
        return []
    pages = view.paginator
    names = [pages.limit_query_param, pages.offset_query_param] if pages is not None else []
    return [*names, "ordering"]
