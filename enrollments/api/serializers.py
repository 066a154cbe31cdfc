"""Request and response bodies of the enrollments API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.records import RecordAnswer, Reference
from core.api.requests import StrictSerializer
from enrollments.models import Enrollment, Hold, Pause, PlanOffer
from enrollments.states import HoldOwner, LeavingReason
from poa_documents.limited_fields import OFFERED_FIELDS


class GateSerializer(serializers.Serializer[dict[str, object]]):
    """One of the three gates, as last decided."""

    name = serializers.CharField()
    is_open = serializers.BooleanField()
    because = serializers.CharField()


class HoldSerializer(RecordAnswer[Hold]):
    class Meta:
        model = Hold
        fields = (
            "id",
            "code",
            "because",
            "owner",
            "since",
            "act_by_date",
            "released_at",
            "released_by",
            "release_reason",
            "updated_at",
        )
        read_only_fields = fields


class OfferSerializer(RecordAnswer[PlanOffer]):
    class Meta:
        model = PlanOffer
        fields = (
            "id",
            "light_plan_uuid",
            "name",
            *OFFERED_FIELDS,
            "efl_url",
            "tos_url",
            "yrac_url",
            "requested_at",
            "stale_at",
            "verdict",
            "fits",
            "updated_at",
        )
        read_only_fields = fields


class EnrollmentSerializer(RecordAnswer[Enrollment]):
    customer = Reference()
    site = Reference()
    installations = Reference(many=True)
    accepted_offer = Reference(allow_null=True)
    gates = GateSerializer(many=True, read_only=True)
    whose_turn = serializers.ChoiceField(choices=HoldOwner.choices, allow_blank=True, read_only=True)
    left_reason = serializers.ChoiceField(choices=LeavingReason.choices, allow_blank=True, read_only=True)
    open_hold = serializers.SerializerMethodField()

    class Meta:
        model = Enrollment
        fields: tuple[str, ...] = (
            "id",
            "customer",
            "site",
            "installations",
            "status",
            "gates",
            "next_step",
            "because",
            "whose_turn",
            "act_by_date",
            "decided_at",
            "open_hold",
            "light_account_uuid",
            "light_status",
            "attested_at",
            "accepted_offer",
            "service_start_date",
            "opened_at",
            "accepted_at",
            "finalized_at",
            "active_at",
            "service_end_date",
            "ended_at",
            "ended_because",
            "left_reason",
            "win_back_note",
            "updated_at",
        )
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(HoldSerializer(allow_null=True))
    def get_open_hold(self, enrollment: Enrollment) -> dict[str, Any] | None:
        held = next((hold for hold in enrollment.holds.all() if hold.released_at is None), None)
        return HoldSerializer(held).data if held else None


class EnrollmentDetailSerializer(EnrollmentSerializer):
    offers = OfferSerializer(many=True, read_only=True)
    holds = HoldSerializer(many=True, read_only=True)

    class Meta(EnrollmentSerializer.Meta):
        fields = (*EnrollmentSerializer.Meta.fields, "offers", "holds")
        read_only_fields = fields


class Release(StrictSerializer):
    reason = serializers.CharField(max_length=2000, help_text="What was done about the reason for the hold.")


class PauseSerializer(RecordAnswer[Pause]):
    class Meta:
        model = Pause
        fields = ("id", "light_plan_group", "reason", "started_at", "started_by", "ended_at", "ended_by", "updated_at")
        read_only_fields = fields


class NewPause(StrictSerializer):
    reason = serializers.CharField(max_length=2000)
    light_plan_group = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="If omitted, all acceptances are paused."
    )
