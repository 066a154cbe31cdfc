"""API serializers of customers, sites, installations and go-live reports."""

from typing import Any

from rest_framework import serializers

from accounts.models import User
from core.api.records import RecordAnswer, Reference, ReferenceField
from core.api.requests import StrictSerializer, TextOnlyField
from installations.actions.jobs import JOB_MOVES
from installations.actions.registration import phone_warnings
from installations.esi_ids import esi_id_warnings
from installations.models import (
    Customer,
    GoLiveReport,
    GoLiveSource,
    HardwareKind,
    Installation,
    InstallationEvent,
    Language,
    ProofFile,
    Site,
)


class CustomerSerializer(RecordAnswer[Customer]):
    """Never contains the date of birth, which is write-only."""

    phone_warnings = serializers.SerializerMethodField()

    class Meta:
        model = Customer
        fields = (
            "id",
            "first_name",
            "last_name",
            "email",
            "phone",
            "phone_warnings",
            "language",
            "contact_verified_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_phone_warnings(self, customer: Customer) -> list[str]:
        return list(phone_warnings(customer))


class NewCustomer(StrictSerializer):
    first_name = serializers.CharField(max_length=100)
    last_name = serializers.CharField(max_length=100)
    email = serializers.EmailField(max_length=254)
    phone = serializers.CharField(required=False, allow_blank=True, default="", max_length=128)
    date_of_birth = serializers.DateField(required=False, allow_null=True, default=None)
    language = serializers.ChoiceField(choices=Language.choices, default=Language.ENGLISH.value)


class SiteSerializer(RecordAnswer[Site]):
    esi_id_warnings = serializers.SerializerMethodField()

    class Meta:
        model = Site
        fields = (
            "id",
            "address_1",
            "address_2",
            "city",
            "state",
            "postal_code",
            "esi_id",
            "esi_id_warnings",
            "tdu_code",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_esi_id_warnings(self, site: Site) -> list[str]:
        return list(esi_id_warnings(site.esi_id))


class NewSite(StrictSerializer):
    address_1 = serializers.CharField(max_length=200)
    address_2 = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    city = serializers.CharField(max_length=100)
    state = serializers.CharField(max_length=2, default="TX")
    postal_code = TextOnlyField(max_length=10)
    esi_id = TextOnlyField(max_length=60, help_text="17 or 22 digits as text, never a number.")
    esi_id_compared = serializers.BooleanField(
        default=False,
        help_text="True if a person compared an ESI ID ending in 00 with the bill. Spreadsheets round to 00.",
    )


class InstallationSerializer(RecordAnswer[Installation]):
    customer = Reference()
    site = Reference()
    technician = Reference(allow_null=True)

    class Meta:
        model = Installation
        fields = (
            "id",
            "customer",
            "site",
            "kind",
            "size_kw",
            "contract_signed_date",
            "embargo_end_date",
            "technician",
            "scheduled_date",
            "status",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class InstallationEventSerializer(serializers.ModelSerializer[InstallationEvent]):
    class Meta:
        model = InstallationEvent
        fields = ("name", "old_status", "new_status", "actor", "reason", "at")
        read_only_fields = fields


class NewInstallation(StrictSerializer):
    customer = ReferenceField(Customer)
    site = ReferenceField(Site)
    kind = serializers.ChoiceField(choices=HardwareKind.choices)
    size_kw = serializers.DecimalField(max_digits=8, decimal_places=3, required=False, allow_null=True, default=None)
    contract_signed_date = serializers.DateField()
    technician = ReferenceField(User, name="technician", required=False, allow_null=True, default=None)
    scheduled_date = serializers.DateField(required=False, allow_null=True, default=None)


class InstallationMove(StrictSerializer):
    move = serializers.ChoiceField(choices=[(move, move) for move in JOB_MOVES])
    scheduled_date = serializers.DateField(required=False, allow_null=True, default=None)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class Assignment(StrictSerializer):
    technician = ReferenceField(User, name="technician", allow_null=True)


class Reason(StrictSerializer):
    reason = serializers.CharField(max_length=2000)


class OptionalReason(StrictSerializer):
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class ProofSerializer(serializers.ModelSerializer[ProofFile]):
    class Meta:
        model = ProofFile
        fields = ("original_name", "content_type", "size_bytes", "sha256")
        read_only_fields = fields


class GoLiveReportSerializer(RecordAnswer[GoLiveReport]):
    installation = Reference()
    corrects = Reference(allow_null=True)
    compared_with = Reference(allow_null=True)
    proofs = ProofSerializer(many=True, read_only=True)

    class Meta:
        model = GoLiveReport
        fields = (
            "id",
            "installation",
            "submission_id",
            "granted_date",
            "source",
            "utility_reference",
            "note",
            "status",
            "reported_by",
            "device_at",
            "received_at",
            "confirmed_by",
            "confirmed_at",
            "corrects",
            "compared_with",
            "closing_reason",
            "proofs",
            "updated_at",
        )
        read_only_fields = fields


class _ReportFields(StrictSerializer):
    submission_id = serializers.UUIDField(
        required=False, help_text="Chosen by the sender. By default it is derived from the Idempotency-Key."
    )
    granted_date = serializers.DateField(help_text="Date of the permission, a day in US Central Time.")
    source = serializers.ChoiceField(choices=GoLiveSource.choices)  # type: ignore[assignment]  # a field of that name
    utility_reference = TextOnlyField(required=False, allow_blank=True, default="", max_length=60)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=4000)
    proof = serializers.FileField(required=False, help_text="JPEG, PNG or PDF, up to 15 MB; as multipart/form-data.")


class NewGoLiveReport(_ReportFields):
    installation = ReferenceField(Installation)
    device_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class Correction(_ReportFields):
    reason = serializers.CharField(max_length=2000)


def omit(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
