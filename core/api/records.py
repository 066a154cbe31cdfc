"""Records in the API: named by their public ID, listed with `updated_since`, and answered as the database has them."""

from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from django import forms
from django.db.models import Model
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from core.public_records import MirroredRecord, PublicRecord, parse_public_id

ID_PATTERN = "[0-9A-Za-z-]{1,36}"
"""What may stand where an ID does in a path. Anything but the public ID of a record is not found."""

Mirrored = TypeVar("Mirrored", bound=MirroredRecord)


class RecordAnswer(serializers.ModelSerializer[Mirrored]):
    """A record that other systems may copy. Subclasses name `id` and `updated_at` among their fields."""

    id = serializers.UUIDField(source="public_id", read_only=True)


class Reference(serializers.SlugRelatedField[Any]):
    """Another record in an answer, by its public ID. Load it with the list (`select_related`)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="public_id", read_only=True, **kwargs)


@extend_schema_field(OpenApiTypes.UUID)
class ReferenceField(serializers.Field[int, str, Any, Any]):
    """Another record in a body, by its public ID. The actions get its primary key."""

    def __init__(self, model: type[PublicRecord], *, name: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.name = name or str(model._meta.verbose_name)

    def to_internal_value(self, data: Any) -> int:
        public_id = parse_public_id(data) if isinstance(data, str) else None
        if public_id is None:
            raise ValidationError(f"Send the id of a {self.name} as text, as this API gave it: a UUID in lower case.")
        key = self.model._default_manager.filter(public_id=public_id).values_list("pk", flat=True).first()
        if key is None:
            raise ValidationError(f"There is no such {self.name}.")
        return int(key)


class ReferenceFilter(filters.UUIDFilter):  # type: ignore[misc]  # django-filter has no types
    """Records that refer to the one with this public ID."""

    def __init__(self, relation: str) -> None:
        super().__init__(field_name=f"{relation}__public_id")


class _UtcMomentField(IsoDateTimeField):  # type: ignore[misc]  # django-filter has no types
    """PostgreSQL refuses offsets of sixteen hours and more, which ISO 8601 allows."""

    def to_python(self, value: Any) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as problem:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from problem


class MomentFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]  # django-filter has no types
    field_class = _UtcMomentField


class RecordFilter(filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    updated_since = MomentFilter(
        field_name="updated_at",
        lookup_expr="gte",
        help_text="Only records that changed at this moment or later, by `updated_at`. A change becomes visible when "
        "its transaction ends, up to seconds after its `updated_at`: let each poll reach back a minute before the one "
        "before it, and ignore what you have already.",
    )


class RecordViewSet(GenericViewSet[Mirrored]):
    lookup_field = "public_id"
    lookup_value_regex = ID_PATTERN
    ordering_fields: ClassVar[tuple[str, ...]] = ()

    def answer(self, record: Model, *, status: int = status.HTTP_200_OK) -> Response:
        """Answer with the record as it is after the write, including what the database set."""
        fresh = self.get_queryset().get(pk=record.pk)
        return Response(self.get_serializer_class()(fresh, context=self.get_serializer_context()).data, status=status)

    def created(self, record: Model) -> Response:
        return self.answer(record, status=status.HTTP_201_CREATED)
