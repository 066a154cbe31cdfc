from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from core import stored_files
from core.admin.buttons import Button, ButtonContext
from core.admin.records import RecordAdmin
from core.admin.tables import display
from core.dates import chicago_day
from core.downloads import file_response
from core.stored_files import FileAltered, StoredFile
from enrollments.light.documents import SUFFIXES
from enrollments.models import PlanDocument


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> list[tuple[str, str]]:
        return [("given-up", "Given up"), ("waiting", "Not fetched yet"), ("stored", "Stored")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[PlanDocument]) -> QuerySet[PlanDocument] | None:
        match self.value():
            case "given-up":
                return queryset.filter(stored_at__isnull=True, due_at__isnull=True)
            case "waiting":
                return queryset.filter(stored_at__isnull=True, due_at__isnull=False)
            case "stored":
                return queryset.filter(stored_at__isnull=False)
        return None


def _download(context: ButtonContext) -> HttpResponse:
    document: PlanDocument = context.record
    content = stored_files.read(StoredFile(document.storage_key, document.sha256, document.size_bytes or 0))
    name = f"{document.kind.lower()}-{chicago_day(document.owed_since)}{SUFFIXES.get(document.content_type, '')}"
    return file_response(content, name=name, content_type=document.content_type)


def _is_stored(document: Any) -> bool:
    return document.stored_at is not None


@admin.register(PlanDocument)
class PlanDocumentAdmin(RecordAdmin):
    list_display = ("__str__", "state", "owed_since", "stored_at", "size_bytes")
    list_filter = (StateFilter, "kind", "content_type", "stored_at")
    search_fields = ("offer__enrollment__site__esi_id", "sha256", "url")
    list_select_related = ("offer",)
    fields = (
        ("offer", "kind"),
        "url",
        ("stored_at", "size_bytes", "content_type"),
        "sha256",
        ("owed_since", "due_at", "attempts"),
        "last_error",
    )
    buttons = (
        Button(
            name="download",
            label="Download the document",
            run=_download,
            explanation="Downloads the document as it was when the plan was accepted.",
            outages=(FileAltered,),
            is_offered=_is_stored,
            is_direct=True,
            permission="enrollments.view_plandocument",
        ),
    )

    @display(description="State", label={"Given up": "danger", "Not fetched yet": "warning", "Stored": "success"})
    def state(self, document: PlanDocument) -> str:
        if document.stored_at is not None:
            return "Stored"
        return "Given up" if document.due_at is None else "Not fetched yet"
