"""Enrollments API: status, next step and reason; releasing holds; pausing acceptances."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from core import clock
from core.api.requests import NoFields, actor_of, idempotent, read_body
from enrollments.actions import holds, pauses
from enrollments.api import serializers as said
from enrollments.models import Enrollment, Pause

ID_PATTERN = "[0-9]{1,18}"


class EnrollmentFilter(filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    installation = filters.NumberFilter(field_name="installations", min_value=1, max_value=2**63 - 1)
    is_held = filters.BooleanFilter(method="filter_held")

    class Meta:
        model = Enrollment
        fields = ("customer", "site", "status", "whose_turn", "next_step", "left_reason", "light_account_uuid")

    def filter_held(self, queryset: QuerySet[Enrollment], _name: str, value: bool) -> QuerySet[Enrollment]:  # noqa: FBT001
        held = Enrollment.objects.filter(holds__released_at__isnull=True, holds__isnull=False).values("pk")
        return queryset.filter(pk__in=held) if value else queryset.exclude(pk__in=held)


class Enrollments(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Enrollment]):
    filterset_class = EnrollmentFilter
    ordering_fields = ("id", "opened_at", "act_by_date", "service_start_date")
    lookup_value_regex = ID_PATTERN

    def get_queryset(self) -> QuerySet[Enrollment]:
        enrollments = Enrollment.objects.prefetch_related("holds", "installations")
        return enrollments if self.action == "list" else enrollments.prefetch_related("offers")

    def get_serializer_class(self) -> type[BaseSerializer[Enrollment]]:
        return said.EnrollmentAnswer if self.action == "list" else said.EnrollmentDetailAnswer

    @extend_schema(request=said.Release, responses={200: said.EnrollmentDetailAnswer})
    @action(detail=True, methods=["post"], url_path=r"holds/(?P<hold_id>[0-9]{1,18})/release")
    @idempotent
    def release(self, request: Request, pk: str, hold_id: str) -> Response:
        """Release a hold after its reason was dealt with. The case is decided again."""
        fields = read_body(self, said.Release)
        hold = self.get_object().holds.get(pk=hold_id)
        holds.release_hold(hold_id=hold.pk, **fields, by=actor_of(request), at=clock.now())
        return Response(said.EnrollmentDetailAnswer(self.get_object()).data)


class Pauses(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Pause]):
    """While a pause is open, no plan is accepted: at all, or in one plan group."""

    queryset = Pause.objects.all()
    serializer_class = said.PauseAnswer
    ordering_fields = ("id", "started_at")
    lookup_value_regex = ID_PATTERN

    @extend_schema(request=said.NewPause, responses={201: said.PauseAnswer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Pause acceptances, effective immediately."""
        fields = read_body(self, said.NewPause)
        pause = pauses.pause(**fields, by=actor_of(request), at=clock.now())
        return Response(said.PauseAnswer(pause).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=NoFields, responses={200: said.PauseAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def resume(self, request: Request, pk: str) -> Response:
        """End a pause. Waiting cases continue."""
        read_body(self, NoFields)
        pauses.resume(pause_id=self.get_object().pk, by=actor_of(request), at=clock.now())
        return Response(said.PauseAnswer(self.get_object()).data)
