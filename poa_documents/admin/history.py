"""Records that only the program writes. They are read-only and have no buttons."""

from django.contrib import admin

from core.admin.filters import EventNameFilter
from core.admin.records import RecordAdmin
from poa_documents.models import (
    ConsentRecord,
    DestructionProof,
    Envelope,
    EvidenceEntry,
    IssuersAnswer,
    JournalAnchor,
    PaperSignature,
    PoaTemplate,
    SealTimestamp,
    SignerDoubt,
)


@admin.register(JournalAnchor)
class JournalAnchorAdmin(RecordAdmin):
    list_display = ("__str__", "chains", "entries", "sha256", "problem")
    list_filter = ("made_at",)
    search_fields = ("sha256",)
    ordering = ("-number",)


@admin.register(ConsentRecord)
class ConsentRecordAdmin(RecordAdmin):
    list_display = ("given_at", "poa", "statement", "wording_version", "language")
    list_filter = ("statement", "language", "given_at")
    search_fields = ("poa__customer__first_name__unaccented", "poa__customer__last_name__unaccented", "wording_sha256")
    list_select_related = ("poa__customer",)


@admin.register(DestructionProof)
class DestructionProofAdmin(RecordAdmin):
    list_display = ("__str__", "at", "actor", "reason")
    list_filter = ("at",)
    search_fields = ("poa_public_id", "head_sha256", "sha256")
    ordering = ("-number",)


@admin.register(Envelope)
class EnvelopeAdmin(RecordAdmin):
    list_display = ("plan_name", "esi_id", "max_average_cents_per_kwh_1000", "sunset_date", "uses")
    list_filter = ("rate_kind", "sunset_date")
    search_fields = ("plan_name", "esi_id", "poa__customer__last_name__unaccented")


@admin.register(EvidenceEntry)
class EvidenceEntryAdmin(RecordAdmin):
    list_display = ("at", "poa", "__str__", "actor")
    list_filter = (("kind", EventNameFilter), "at")
    search_fields = ("poa__customer__first_name__unaccented", "poa__customer__last_name__unaccented", "sha256")
    list_select_related = ("poa__customer",)
    ordering = ("-at", "-pk")


@admin.register(IssuersAnswer)
class IssuersAnswerAdmin(RecordAdmin):
    list_display = ("certificate_sha256", "asked_at", "counts_until", "revoked_at")
    list_filter = ("asked_at", "revoked_at")
    search_fields = ("certificate_sha256",)


@admin.register(PaperSignature)
class PaperSignatureAdmin(RecordAdmin):
    list_display = ("recorded_at", "poa", "signed_date", "recorded_by", "confirmed_by", "refused_at")
    list_filter = ("recorded_at", "confirmed_at", "refused_at")
    search_fields = ("poa__customer__first_name__unaccented", "poa__customer__last_name__unaccented", "scan_sha256")
    list_select_related = ("poa__customer",)


@admin.register(SealTimestamp)
class SealTimestampAdmin(RecordAdmin):
    list_display = ("poa", "stamped_at", "is_inside", "authority_sha256")
    list_filter = ("is_inside", "stamped_at")
    search_fields = ("authority_sha256",)
    list_select_related = ("poa__customer",)


@admin.register(SignerDoubt)
class SignerDoubtAdmin(RecordAdmin):
    list_display = ("noted_at", "poa", "reason", "proof", "cleared_by")
    list_filter = ("reason", "proof", "noted_at", "cleared_at")
    search_fields = ("poa__customer__first_name__unaccented", "poa__customer__last_name__unaccented")
    list_select_related = ("poa__customer",)
    fields = ("poa", "reason", "because", "noted_at", ("proof", "cleared_at", "cleared_by"))


@admin.register(PoaTemplate)
class PoaTemplateAdmin(RecordAdmin):
    """New wording comes as a new version, in both languages together, with the program."""

    list_display = ("title", "version", "language", "effective_from_date", "effective_until_date")
    list_filter = ("language", "version")
    search_fields = ("title", "body")
    hidden_links = frozenset({"documents"})
