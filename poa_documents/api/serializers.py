"""Serializers for POA requests. The link and its token are never included."""

from rest_framework import serializers

from core.api.records import RecordAnswer, Reference, ReferenceField
from core.api.requests import StrictSerializer
from installations.models import Customer, Site
from poa_documents.limited_fields import LIMIT_FIELDS
from poa_documents.models import Envelope, PlanPromise, PoaDocument, RevocationChannel


class PlanPromiseSerializer(RecordAnswer[PlanPromise]):
    class Meta:
        model = PlanPromise
        fields = ("id", "name", "summary_en", "summary_es", "is_offered", *LIMIT_FIELDS, "updated_at")
        read_only_fields = fields


class EnvelopeSerializer(serializers.ModelSerializer[Envelope]):
    class Meta:
        model = Envelope
        fields = (
            "plan_name",
            "esi_id",
            *LIMIT_FIELDS,
            "earliest_start_date",
            "latest_start_date",
            "sunset_date",
            "uses",
        )
        read_only_fields = fields


class PoaRequestSerializer(RecordAnswer[PoaDocument]):
    customer = Reference()
    site = Reference()
    promise = Reference()
    envelope = EnvelopeSerializer(read_only=True)
    revocation_channel = serializers.ChoiceField(choices=RevocationChannel.choices, allow_blank=True, read_only=True)

    class Meta:
        model = PoaDocument
        fields = (
            "id",
            "customer",
            "site",
            "promise",
            "status",
            "envelope",
            "created_at",
            "sent_at",
            "signed_at",
            "sealed_at",
            "pdf_sha256",
            "suspended_because",
            "ended_at",
            "ended_because",
            "revocation_channel",
            "revocation_received_at",
            "uses_made",
            "updated_at",
        )
        read_only_fields = fields


class NewPoaRequest(StrictSerializer):
    customer = ReferenceField(Customer)
    site = ReferenceField(Site)
    promise = ReferenceField(PlanPromise)
    earliest_start_date = serializers.DateField(required=False, allow_null=True, default=None)
    latest_start_date = serializers.DateField(required=False, allow_null=True, default=None)
    sunset_date = serializers.DateField(required=False, allow_null=True, default=None)
    uses = serializers.IntegerField(required=False, default=1, min_value=1, max_value=100)


class Voiding(StrictSerializer):
    reason = serializers.CharField(max_length=2000)


class Revocation(StrictSerializer):
    channel = serializers.ChoiceField(choices=RevocationChannel.choices, help_text="How the customer told you.")
    received_at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        default=None,
        help_text="When the customer's message reached you. Defaults to now.",
    )
    reason = serializers.CharField(max_length=2000)
