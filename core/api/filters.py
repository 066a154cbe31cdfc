"""Filters and orderings of lists: what is not one of them is refused by name, because it would be ignored otherwise."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter

from core.api.refusals import some_of

if TYPE_CHECKING:  # the settings name this module, and these read the settings
    from django.db.models import QuerySet
    from rest_framework.request import Request


class NamedFilters(DjangoFilterBackend):  # type: ignore[misc]  # django-filter has no types
    """Filter by the parameters of the list, each sent once; a single record takes none."""

    def filter_queryset(self, request: "Request", queryset: "QuerySet[Any]", view: Any) -> "QuerySet[Any]":
        filters = self.get_filterset_class(view, queryset) if _is_list(view) else None
        check_parameters(request, [*(filters.base_filters if filters else ()), *_around(view)])
        found: QuerySet[Any] = super().filter_queryset(request, queryset, view) if filters else queryset
        return found


class NamedOrdering(OrderingFilter):
    """Order by the fields of the list alone."""

    def remove_invalid_fields(
        self, queryset: "QuerySet[Any]", fields: Iterable[str], view: Any, request: "Request"
    ) -> list[str]:
        allowed = [name for name, _label in self.get_valid_fields(queryset, view, {"request": request})]
        unknown = [name for name in fields if name.removeprefix("-") not in allowed]
        if unknown:
            text = f"This list is ordered by: {', '.join(allowed)}; with a minus before it, the other way round."
            raise ValidationError({self.ordering_param: [text]})
        return list(fields)


def check_parameters(request: "Request", taken: Iterable[str]) -> None:
    """:raises rest_framework.exceptions.ValidationError: a parameter that nobody reads here, or one sent twice"""
    sent, taken = request.query_params, list(taken)
    unknown = set(sent) - set(taken)
    if unknown:
        text = f"Unknown parameter. This address takes: {', '.join(taken) or 'none'}."
        raise ValidationError({name: [text] for name in some_of(unknown)})
    twice = [name for name in sent if len(sent.getlist(name)) > 1]
    if twice:
        raise ValidationError({name: ["Send this parameter once."] for name in some_of(twice)})


def _is_list(view: Any) -> bool:
    return not view.detail


def _around(view: Any) -> list[str]:
    """The parameters of every list that has pages and an order."""
    if not _is_list(view):
        return []
    pages = view.paginator
    names = [pages.limit_query_param, pages.offset_query_param] if pages is not None else []
    return [*names, "ordering"]
