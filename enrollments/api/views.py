"""Enrollments API: status, next step and reason; releasing holds; pausing acceptances."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from core import clock
from core.api.records import ID_PATTERN, RecordFilter, RecordViewSet, ReferenceFilter
from core.api.requests import NoFields, actor_of, idempotent, read_body
from enrollments.actions import holds, pauses
from enrollments.api import serializers as said
from enrollments.models import Enrollment, Pause


class EnrollmentFilter(RecordFilter):
    customer = ReferenceFilter("customer")
    site = ReferenceFilter("site")
    installation = ReferenceFilter("installations")
    is_held = filters.BooleanFilter(method="filter_held")

    class Meta:
        model = Enrollment
        fields = ("status", "whose_turn", "next_step", "left_reason", "light_account_uuid")

    def filter_held(self, queryset: QuerySet[Enrollment], _name: str, value: bool) -> QuerySet[Enrollment]:  # noqa: FBT001
        held = Enrollment.objects.filter(holds__released_at__isnull=True, holds__isnull=False).values("pk")
        return queryset.filter(pk__in=held) if value else queryset.exclude(pk__in=held)


class Enrollments(mixins.ListModelMixin, mixins.RetrieveModelMixin, RecordViewSet[Enrollment]):
    filterset_class = EnrollmentFilter
    ordering_fields = ("id", "opened_at", "act_by_date", "service_start_date", "updated_at")

    def get_queryset(self) -> QuerySet[Enrollment]:
        enrollments = Enrollment.objects.select_related("customer", "site", "accepted_offer").prefetch_related(
            "holds", "installations"
        )
        return enrollments if self.action == "list" else enrollments.prefetch_related("offers")

    def get_serializer_class(self) -> type[BaseSerializer[Enrollment]]:
        return said.EnrollmentSerializer if self.action == "list" else said.EnrollmentDetailSerializer

    @extend_schema(request=said.Release, responses={200: said.EnrollmentDetailSerializer})
    @action(detail=True, methods=["post"], url_path=rf"holds/(?P<hold_id>{ID_PATTERN})/release")
    @idempotent
    def release(self, request: Request, public_id: str, hold_id: str) -> Response:
        """Release a hold after its reason was dealt with. The case is decided again."""
        fields = read_body(self, said.Release)
        enrollment = self.get_object()
        hold = get_object_or_404(enrollment.holds, public_id=hold_id)
        holds.release_hold(hold_id=hold.pk, **fields, by=actor_of(request), at=clock.now())
        return self.answer(enrollment)


class PauseFilter(RecordFilter):
    class Meta:
        model = Pause
        fields = ()


class Pauses(mixins.ListModelMixin, mixins.RetrieveModelMixin, RecordViewSet[Pause]):
    """While a pause is open, no plan is accepted: at all, or in one plan group."""

    queryset = Pause.objects.all()
    serializer_class = said.PauseSerializer
    filterset_class = PauseFilter
    ordering_fields = ("id", "started_at", "updated_at")

    @extend_schema(request=said.NewPause, responses={201: said.PauseSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Pause acceptances, effective immediately."""
        fields = read_body(self, said.NewPause)
        pause = pauses.pause(**fields, by=actor_of(request), at=clock.now())
        return self.created(pause)

    @extend_schema(request=NoFields, responses={200: said.PauseSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def resume(self, request: Request, public_id: str) -> Response:
        """End a pause. Waiting cases continue."""
        read_body(self, NoFields)
        pause = self.get_object()
        pauses.resume(pause_id=pause.pk, by=actor_of(request), at=clock.now())
        return self.answer(pause)
