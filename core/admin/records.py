"""
Base classes of every admin class.

Records are read-only in the admin: a page shows the fields, linked records, and buttons that call actions. New records
are added by an action too. Nothing can be deleted.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_permission_codename
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import ForeignKey, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst

from core import clock
from core.actors import Actor, ActorField
from core.admin.buttons import (
    CONFIRM_NOTES,
    Button,
    ButtonContext,
    ButtonForm,
    ButtonResult,
    add_refusal_to_form,
    forget_kept,
    kept_for,
    redirect_to_form,
    show_kept,
    staff,
)
from core.admin.links import RecordLink, button_url, can_view, id_in_urls, linked_records, record_url, return_url
from core.admin.tables import ActorColumn, Cell, Table
from core.admin.unfold_imports import ChangeList, ModelAdmin
from core.encryption import EncryptedTextField
from core.errors import Refusal
from core.public_records import PublicRecord, parse_public_id

MAX_SEARCH_CHARACTERS = 200  # each word of a search is one more condition on each field

UNFILTERABLE_FIELDS = frozenset({"token_hash", "secret_sha256"})

_BETWEEN_DIGITS = re.compile(r"[\s().+-]")


class PublicIdChangeList(ChangeList):  # type: ignore[misc]  # the skin ships no types
    def url_for_result(self, result: Model) -> str:
        return record_url(result)


class PublicIdAdmin(ModelAdmin):  # type: ignore[misc]  # the skin ships no types
    """Pages whose URLs name the record by its public ID (`core.admin.links`), and a log that does too."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if not issubclass(self.model, PublicRecord):
            return super().get_object(request, object_id, from_field)
        return super().get_object(request, object_id, "public_id") if parse_public_id(object_id) else None

    def get_changelist(self, _request: HttpRequest, **_kwargs: Any) -> type[ChangeList]:
        return PublicIdChangeList

    def response_add(self, request: HttpRequest, obj: Model, _post_url_continue: str | None = None) -> HttpResponse:
        """Go on as Django does, whose own message and redirect contain the primary key."""
        messages.success(request, f"{capfirst(str(self.opts.verbose_name))} “{obj}” was added.")
        if "_addanother" in request.POST:
            return HttpResponseRedirect(request.path)
        if "_continue" in request.POST:
            return HttpResponseRedirect(record_url(obj))
        response: HttpResponse = self.response_post_save_add(request, obj)
        return response

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return _log(request, obj, ADDITION, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return _log(request, obj, CHANGE, message)


def _log(request: HttpRequest, record: Model, action: int, message: Any) -> LogEntry:
    return LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(record, for_concrete_model=False),
        object_id=id_in_urls(record),
        object_repr=str(record)[:200],
        action_flag=action,
        change_message=json.dumps(message) if isinstance(message, list) else message,
    )


class RecordAdmin(PublicIdAdmin):
    """
    A read-only record with buttons.

    Subclasses set `buttons`, and override `tables_of` to show more than the record's own fields.
    """

    change_form_template = "admin/record.html"
    compressed_fields = True
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    buttons: ClassVar[Sequence[Button]] = ()
    actions = None
    hidden_links: ClassVar[frozenset[str]] = frozenset()

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Allow view or change permission. Autocomplete passes `obj` by keyword."""
        opts = self.opts
        return any(
            request.user.has_perm(f"{opts.app_label}.{get_permission_codename(verb, opts)}")
            for verb in ("view", "change")
        )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse to filter by secret fields: the length of the list would reveal them letter by letter."""
        name = lookup.partition("__")[0]
        secret = {each.name for each in self.opts.fields if isinstance(each, EncryptedTextField)} | UNFILTERABLE_FIELDS
        if lookup == f"{name}__public_id__exact" and name not in secret:
            return True  # the lists that `core.admin.links.list_url` links to
        return name not in secret and bool(super().lookup_allowed(lookup, value, request))

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._shown(name) for name in super().get_list_display(request)]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        found: ChangeList = super().get_changelist_instance(request)
        for column in found.list_display:
            if isinstance(column, ActorColumn):
                column.look_up(found.result_list)
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[tuple[Any, dict[str, Any]]]:
        return [
            (title, {**options, "fields": [self._shown(name, is_linked=True) for name in options["fields"]]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def _shown(self, name: Any, *, is_linked: bool = False) -> Any:
        """Return what displays a field or a row of fields: actors as names, references as text or as links."""
        if isinstance(name, list | tuple):
            return [self._shown(each, is_linked=is_linked) for each in name]
        field = next((each for each in self.opts.fields if each.name == name), None)
        if isinstance(field, ActorField):
            return ActorColumn(field)
        return RecordLink(field) if is_linked and isinstance(field, ForeignKey) else name

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """
        Accept what people type: an address with a comma, a phone number or an ESI ID with dashes.

        Each word must match. For numbers with punctuation, the bare digits match too.
        """
        words = search_term[:MAX_SEARCH_CHARACTERS].replace(",", " ")
        found, has_doubles = super().get_search_results(request, queryset, words)
        digits = _BETWEEN_DIGITS.sub("", words)
        if digits == words or not digits.isdecimal():
            return found, has_doubles
        also_found, also_doubles = super().get_search_results(request, queryset, digits)
        return found | also_found, has_doubles or also_doubles

    def can_use_button(self, request: HttpRequest, button: Button) -> bool:
        permission = button.permission or f"{self.opts.app_label}.{get_permission_codename('change', self.opts)}"
        return request.user.has_perm(permission) and all(can_view(request, each) for each in button.shows)

    def state_of(self, record: Any) -> str:
        """Return the record's state as a label, used to detect that it changed while someone was deciding."""
        if hasattr(record, "get_status_display"):
            return str(record.get_status_display())
        return ""

    def header_context(self, _request: HttpRequest, _record: Any) -> dict[str, Any]:
        """Return template context for the part of the page above the fields."""
        return {}

    def tables_of(self, _request: HttpRequest, _record: Any) -> list[Table]:
        return []

    def get_urls(self) -> list[URLPattern]:
        button_path = path(
            "<path:object_id>/button/<slug:button_name>/",
            self.admin_site.admin_view(self.button_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_button",
        )
        return [button_path, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context: dict[str, Any] = dict(extra_context or {})
        record = self.get_object(request, unquote(object_id))
        if record is not None and self.has_view_permission(request, record):
            context |= {
                "offered_buttons": [
                    (button, button_url(record, button.name))
                    for button in self.buttons
                    if self.can_use_button(request, button) and button.is_offered(record)
                ],
                "state": self.state_of(record),
                "tables": [
                    table
                    for table in self.tables_of(request, record)
                    if table.shows is None or can_view(request, table.shows)
                ],
                "links": list(linked_records(record, self.admin_site, request, hidden=self.hidden_links)),
                **self.header_context(request, record),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def button_view(self, request: HttpRequest, object_id: str, button_name: str) -> HttpResponseBase:
        """Show a button's page; on POST, run the button."""
        record = self.get_object(request, unquote(object_id))
        button = next((each for each in self.buttons if each.name == button_name), None)
        if record is None or button is None or not self.has_view_permission(request, record):
            raise Http404
        if not self.can_use_button(request, button):
            raise PermissionDenied
        state = self.state_of(record)
        if not button.is_offered(record):
            messages.error(
                request,
                f"Nothing was done. {record} is now “{state}”, and “{button.label}” is not possible in that state.",
            )
            return HttpResponseRedirect(return_url(request) or record_url(record))
        if request.method == "POST":
            form = button.form(request.POST, request.FILES, record=record)
            done = self._run_button(request, button, record, form, state=state) if form.is_valid() else None
            return done or redirect_to_form(request, form)
        kept = kept_for(request)
        if kept is not None:
            kept.fields["seen_state"] = state
            form = button.form(kept.fields, record=record)
            show_kept(request, form, kept)
        else:
            form = button.form(record=record, initial={"seen_state": state})
        context = {
            **self.admin_site.each_context(request),
            "title": button.label,
            "opts": self.opts,
            "record": record,
            "record_url": record_url(record),
            "back_url": return_url(request) or record_url(record),
            "state": state,
            "button": button,
            "note": CONFIRM_NOTES.get(type(record), lambda _record: "")(record),
            "form": form,
            "media": form.media,
        }
        return TemplateResponse(request, "admin/button.html", context)

    def _run_button(
        self, request: HttpRequest, button: Button, record: Any, form: ButtonForm, *, state: str
    ) -> HttpResponseBase | None:
        answers = dict(form.cleaned_data)
        seen_state = answers.pop("seen_state")
        if seen_state and seen_state != state:
            messages.error(
                request,
                f"Nothing was done. {record} changed from “{seen_state}” to “{state}” after you opened this page.",
            )
            return HttpResponseRedirect(return_url(request) or record_url(record))
        refusals: tuple[type[Exception], ...] = (Refusal, *button.outages)
        try:
            outcome = button.run(ButtonContext(record=record, answers=answers, by=staff(request), at=clock.now()))
        except refusals as refusal:
            if form.visible_fields():
                add_refusal_to_form(form, refusal)
                return None
            messages.error(request, f"Nothing was done. {refusal}")
            return HttpResponseRedirect(return_url(request) or record_url(record))
        self.log_change(request, record, button.label)
        forget_kept(request)
        if isinstance(outcome, HttpResponseBase):
            return outcome
        landing = outcome if isinstance(outcome, ButtonResult) else ButtonResult(outcome, record)
        messages.success(request, landing.text)
        return HttpResponseRedirect(return_url(request) or record_url(landing.record))


def related_record_filter(field_name: str) -> type[admin.SimpleListFilter]:
    """Return a filter of a list by a record that its rows refer to."""

    class RelatedRecordFilter(admin.SimpleListFilter):
        title = field_name.replace("_", " ")
        parameter_name = f"{field_name}__public_id"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            model = model_admin.model._meta.get_field(field_name).related_model
            used = model_admin.get_queryset(request).order_by().values(field_name)
            return [(str(each.public_id), str(each)) for each in model._default_manager.filter(pk__in=used)]

        def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            public_id = parse_public_id(self.value() or "")
            return queryset.filter(**{self.parameter_name: public_id}) if public_id else queryset

    return RelatedRecordFilter


class AddableRecordAdmin(RecordAdmin):
    """A record that staff can add. A form checks the input; one action creates the record."""

    new_record_form: ClassVar[type[ButtonForm]]
    new_record_intro: ClassVar[str] = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        opts = self.opts
        return request.user.has_perm(f"{opts.app_label}.{get_permission_codename('add', opts)}")

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> Model:
        raise NotImplementedError

    def new_record_start(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the empty form begins with."""
        return request.GET.dict()

    def new_record_text(self) -> str:
        return self.new_record_intro

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            form = self.new_record_form(request.POST)
            record = self._register(request, form) if form.is_valid() else None
            if record is None:
                return redirect_to_form(request, form)
            forget_kept(request)
            return HttpResponseRedirect(return_url(request) or record_url(record))
        kept = kept_for(request)
        if kept is not None:
            form = self.new_record_form(kept.fields)
            show_kept(request, form, kept)
        else:
            form = self.new_record_form(initial=self.new_record_start(request))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Add {self.opts.verbose_name}",
            "opts": self.opts,
            "form": form,
            "media": form.media,
            "intro": self.new_record_text(),
            "list_url": return_url(request)
            or reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/add.html", context)

    def _register(self, request: HttpRequest, form: ButtonForm) -> Model | None:
        answers = {name: answer for name, answer in form.cleaned_data.items() if name != "seen_state"}
        try:
            record = self.register(answers, by=staff(request), at=clock.now())
        except Refusal as refusal:
            add_refusal_to_form(form, refusal)
            return None
        self.log_addition(request, record, "Added.")
        messages.success(request, f"{capfirst(str(self.opts.verbose_name))} “{record}” was added.")
        return record


def buttons_of(record: Any, request: HttpRequest, *, back: str = "") -> list[Cell]:
    """Return links to the buttons this person can use on a record now, to show on another record's page."""
    record_admin = admin.site._registry.get(type(record))  # noqa: SLF001 - the site has no public look-up
    if not isinstance(record_admin, RecordAdmin):
        return []
    return [
        Cell(button.label, button_url(record, button.name, back=back), tone="grave" if button.is_grave else "")
        for button in record_admin.buttons
        if not button.is_direct and record_admin.can_use_button(request, button) and button.is_offered(record)
    ]
