"""Filters of lists in the admin."""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import AllValuesFieldListFilter
from django.contrib.admin.views.main import ChangeList

from core.staff_formats import describe_event


class EventNameFilter(AllValuesFieldListFilter):
    """Filters by stored event names and shows them in words."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for number, choice in enumerate(super().choices(changelist)):
            yield choice if number == 0 else {**choice, "display": describe_event(str(choice["display"]))}
