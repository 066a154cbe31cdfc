"""Choices of a record in a form. Values in forms, in their URLs and in the search are public IDs."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Model, QuerySet

from core.admin.links import id_in_urls
from core.public_records import parse_public_id


class RecordChoiceField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A choice of one record."""

    def __init__(self, queryset: QuerySet[Any], **kwargs: Any) -> None:
        super().__init__(queryset, to_field_name="public_id", **kwargs)

    def to_python(self, value: Any) -> Any:
        """Refuse what is no ID as a choice that is not offered."""
        if isinstance(value, str) and value and parse_public_id(value) is None:
            raise forms.ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        return super().to_python(value)


class SearchSelect(AutocompleteSelect):
    """A searchable choice of a record. A value in the URL that names no record selects nothing."""

    def optgroups(self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None) -> Any:
        named = [public_id for each in value if (public_id := parse_public_id(each)) is not None]
        choices: Any = self.choices
        records = choices.queryset.filter(public_id__in=named)
        options: list[Any] = [] if self.is_required else [self.create_option(name, "", "", selected=False, index=0)]
        options += [
            self.create_option(name, str(each.public_id), str(each), selected=True, index=number, attrs=attrs)
            for number, each in enumerate(records, start=len(options))
        ]
        return [(None, options, 0)]


class RecordSearch(AutocompleteJsonView):
    """The answers to what is typed into a `SearchSelect`."""

    def serialize_result(self, obj: Model, _to_field_name: str) -> dict[str, str]:
        return {"id": id_in_urls(obj), "text": str(obj)}
