from django.contrib import admin
from django.http import HttpResponse

from core.admin.buttons import Button, ButtonContext
from core.admin.records import RecordAdmin
from core.downloads import file_response
from core.stored_files import FileAltered
from installations import proofs
from installations.models import KeptProof, ProofFile


def _download(context: ButtonContext) -> HttpResponse:
    content = proofs.read_content(context.record)
    return file_response(content, name=context.record.original_name, content_type=context.record.content_type)


def _download_received(context: ButtonContext) -> HttpResponse:
    proof = context.record
    name = proofs.clean_name(f"original-{proof.original_name}", suffix=proofs.SUFFIXES[proof.content_type])
    return file_response(proofs.read_received(proof), name=name, content_type="application/octet-stream")


def download_buttons(permission: str) -> tuple[Button, ...]:
    return (
        Button(
            name="download",
            label="Download the file",
            run=_download,
            explanation="Downloads the checked file. Photos have no location or device data.",
            outages=(FileAltered,),
            is_direct=True,
            permission=permission,
        ),
        Button(
            name="download-received",
            label="Download the original photo",
            run=_download_received,
            explanation=(
                "Downloads the original file, as evidence. It was not cleaned and may contain location and device "
                "data. Use it only if the checked file is not enough."
            ),
            outages=(FileAltered,),
            is_offered=lambda proof: proof.sha256 != proof.received_sha256,
            permission=permission,
        ),
    )


@admin.register(ProofFile)
class ProofFileAdmin(RecordAdmin):
    list_display = ("original_name", "report", "content_type", "size_bytes")
    list_filter = ("content_type",)
    search_fields = ("original_name", "sha256", "report__installation__site__esi_id")
    list_select_related = ("report__installation__site",)
    fields = ("report", "original_name", ("content_type", "size_bytes"), "sha256", "received_sha256")
    buttons = download_buttons("installations.view_prooffile")


@admin.register(KeptProof)
class KeptProofAdmin(RecordAdmin):
    """Proofs from forms that were not accepted yet."""

    list_display = ("original_name", "installation", "kept_by", "kept_at", "content_type")
    list_filter = ("content_type", "kept_at")
    search_fields = ("original_name", "installation__site__esi_id", "installation__customer__last_name__unaccented")
    list_select_related = ("installation__site",)
    fields = (("installation", "kept_by", "kept_at"), "original_name", ("content_type", "size_bytes"), "sha256")
    buttons = download_buttons("installations.view_keptproof")
