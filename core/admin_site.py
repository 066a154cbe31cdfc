"""
The base of every admin class, so that the skin (django-unfold) is named here and nowhere else.

A record in the admin is read, never typed over: its page shows what is known, what it is linked to, and buttons. A
button leads to a page that says what will happen, and a POST from there calls one action. New records are registered
through an action as well, by a form that checks what was typed. Nothing can be deleted.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth import get_permission_codename, get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import content_disposition_header, url_has_allowed_host_and_scheme
from django.utils.text import capfirst
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import display as skin_display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from core import clock, kept_forms
from core.actors import SERVICE_ACCOUNT_MARK, Actor, ActorField
from core.encryption import EncryptedTextField
from core.moves import MoveNotAllowed

__all__ = [
    "AdminPasswordChangeForm",
    "Button",
    "ButtonForm",
    "Cell",
    "Landing",
    "ModelAdmin",
    "Press",
    "RecordAdmin",
    "RegisteredByAction",
    "StackedInline",
    "Table",
    "TabularInline",
    "UserChangeForm",
    "UserCreationForm",
    "age",
    "as_download",
    "buttons_of",
    "display",
    "moment",
    "name_actors",
    "page_of",
]

LINKS_SHOWN = 20
BACK = "back"
"""Where an act leads to once it is done: the page that it was started from."""
LARGEST_KEY = 2**63 - 1
LONGEST_SEARCH = 200  # each word of a search is one more condition on each field
NEVER_LISTED_BY = frozenset({"token_hash", "secret_sha256"})
_BETWEEN_DIGITS = re.compile(r"[\s().+-]")

Method = TypeVar("Method", bound=Callable[..., str])


def display(
    *, description: str, ordering: str | None = None, label: dict[str, str] | None = None
) -> Callable[[Method], Method]:
    """Name a computed column; `label` gives each of its texts a color of the skin's."""
    decorate: Callable[[Method], Method] = skin_display(description=description, ordering=ordering, label=label)
    return decorate


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its words, where they lead, and a tone that repeats in color what the words say."""

    text: str
    url: str = ""
    tone: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A read-only table on a record's page. `more_url` leads to the whole list when only its beginning is shown."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "Nothing yet."
    more_url: str = ""
    more_label: str = "All of them"
    note: str = ""
    note_tone: str = ""
    shows: type[Model] | None = None
    """Whose records stand in it: who may not open their pages is not shown the table either."""

    @property
    def named_rows(self) -> Iterator[list[tuple[str, Cell]]]:
        """Each cell with its column's name, which a narrow screen shows beside it."""
        for row in self.rows:
            yield list(zip(self.columns, row, strict=True))


@dataclass(frozen=True)
class Press:
    """A button was pressed: on what, with which answers, by whom, when."""

    record: Any
    answers: dict[str, Any]
    by: Actor
    at: datetime


@dataclass(frozen=True)
class Landing:
    """What a button did, and another record than the pressed one, whose page shows it."""

    text: str
    record: Model


class ActorColumn:
    """Show who stands in a field by name, in a list or on a record's page, where `staff:3` would say nothing."""

    def __init__(self, actor_field: ActorField) -> None:
        self.__name__ = actor_field.name
        self.short_description = capfirst(actor_field.verbose_name)
        self._names: dict[str, str] = {}

    def look_up(self, records: Iterable[Model]) -> None:
        """Learn the names of a whole list with one query."""
        self._names |= name_actors(filter(None, map(self._reference, records)))

    def __call__(self, record: Model) -> str:
        reference = self._reference(record)
        if reference and reference not in self._names:
            self.look_up([record])
        return self._names[reference] if reference else "—"

    def _reference(self, record: Model) -> str:
        return str(getattr(record, self.__name__))


class ButtonForm(forms.Form):
    """What a button asks for before it acts. `seen_state` is what the person saw when deciding to press it."""

    seen_state = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, record: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.record = record
        for name in self.fields:
            _dress(self.fields[name])


def _dress(form_field: forms.Field) -> None:
    if not isinstance(form_field.widget, forms.CheckboxInput | forms.CheckboxSelectMultiple | forms.RadioSelect):
        form_field.widget.attrs.setdefault("class", "sy-input")


class SearchedChoice(AutocompleteSelect):
    """A choice among records that are searched for. What names no record, in an address for example, chooses none."""

    def optgroups(self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None) -> Any:
        return super().optgroups(name, [each for each in value if _may_be_key(each)], attrs)


def _may_be_key(typed: str) -> bool:
    return typed.isdecimal() and len(typed) <= len(str(LARGEST_KEY)) and int(typed) <= LARGEST_KEY


def _always(_record: Any) -> bool:
    return True


CONFIRM_NOTES: dict[type[Model], Callable[[Any], str]] = {}
"""
What the page that asks before an act says besides, by kind of record; empty where there is nothing to say.

Packages above fill it in: what an act does not stop is known there, and not where the act is.
"""


@dataclass(frozen=True)
class Button:
    """
    One thing that staff can do with a record.

    `run` calls one action and gives the sentence to show, or a file. `refusals` are the action's named exceptions;
    their text is shown and what was typed is kept. `is_offered` hides the button where it makes no sense. A direct
    button acts on the first press, without a page that asks again. `shows` names the records that it hands out: who may
    not open their own pages does not get them here.
    """

    name: str
    label: str
    run: Callable[[Press], str | Landing | HttpResponseBase]
    explanation: str
    refusals: tuple[type[Exception], ...] = ()
    is_offered: Callable[[Any], bool] = _always
    form: type[ButtonForm] = ButtonForm
    is_grave: bool = False
    is_direct: bool = False
    permission: str = ""
    shows: tuple[type[Model], ...] = ()


class RecordAdmin(ModelAdmin):  # type: ignore[misc]  # the skin ships no types
    """
    A record that is looked at and acted upon, never typed over.

    Subclasses give `buttons`, and `tables_of` for what belongs on the record's page besides its own fields.
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
        """Say who may look at records of this kind. The search of a form's choices calls it with `obj` by name."""
        opts = self.opts
        return any(
            request.user.has_perm(f"{opts.app_label}.{get_permission_codename(verb, opts)}")
            for verb in ("view", "change")
        )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse to list by what nobody may see: a list that grows or shrinks would tell it letter by letter."""
        name = lookup.partition("__")[0]
        secret = {each.name for each in self.opts.fields if isinstance(each, EncryptedTextField)} | NEVER_LISTED_BY
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
            (title, {**options, "fields": [self._shown(name) for name in options["fields"]]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def _shown(self, name: Any) -> Any:
        """Give what shows a field or a line of fields: itself, or the names of people where it holds an actor."""
        if isinstance(name, list | tuple):
            return [self._shown(each) for each in name]
        actor_field = next((each for each in self.opts.fields if each.name == name), None)
        return ActorColumn(actor_field) if isinstance(actor_field, ActorField) else name

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """
        Find what is typed as people write it: an address with its comma, a phone number or an ESI ID with dashes.

        The words of a search must each be found; of numbers with signs between them, the digits in one run are as good.
        """
        words = search_term[:LONGEST_SEARCH].replace(",", " ")
        found, has_doubles = super().get_search_results(request, queryset, words)
        digits = _BETWEEN_DIGITS.sub("", words)
        if digits == words or not digits.isdecimal():
            return found, has_doubles
        also_found, also_doubles = super().get_search_results(request, queryset, digits)
        return found | also_found, has_doubles or also_doubles

    def may_press(self, request: HttpRequest, button: Button) -> bool:
        permission = button.permission or f"{self.opts.app_label}.{get_permission_codename('change', self.opts)}"
        return request.user.has_perm(permission) and all(may_view(request, each) for each in button.shows)

    def state_of(self, record: Any) -> str:
        """Say in words what state the record is in, to notice that it moved while somebody was deciding."""
        if hasattr(record, "get_status_display"):
            return str(record.get_status_display())
        return ""

    def headline_of(self, _request: HttpRequest, _record: Any) -> dict[str, Any]:
        """Give context for the record's page above its fields."""
        return {}

    def tables_of(self, _request: HttpRequest, _record: Any) -> list[Table]:
        return []

    def get_urls(self) -> list[URLPattern]:
        button_url = path(
            "<path:object_id>/press/<slug:button_name>/",
            self.admin_site.admin_view(self.press_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_press",
        )
        return [button_url, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context: dict[str, Any] = dict(extra_context or {})
        record = self.get_object(request, unquote(object_id))
        if record is not None and self.has_view_permission(request, record):
            context |= {
                "offered_buttons": [
                    (button, press_url(record, button.name))
                    for button in self.buttons
                    if self.may_press(request, button) and button.is_offered(record)
                ],
                "state": self.state_of(record),
                "tables": [
                    table
                    for table in self.tables_of(request, record)
                    if table.shows is None or may_view(request, table.shows)
                ],
                "links": list(linked_records(record, self.admin_site, request, hidden=self.hidden_links)),
                **self.headline_of(request, record),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def press_view(self, request: HttpRequest, object_id: str, button_name: str) -> HttpResponseBase:
        """Show what a button will do; on POST, do it."""
        record = self.get_object(request, unquote(object_id))
        button = next((each for each in self.buttons if each.name == button_name), None)
        if record is None or button is None or not self.has_view_permission(request, record):
            raise Http404
        if not self.may_press(request, button):
            raise PermissionDenied
        state = self.state_of(record)
        if not button.is_offered(record):
            messages.error(
                request, f"Nothing was done: {record} is now “{state}”, where “{button.label}” is not possible."
            )
            return HttpResponseRedirect(way_back(request) or page_of(record))
        if request.method == "POST":
            form = button.form(request.POST, request.FILES, record=record)
            done = self._press(request, button, record, form, state=state) if form.is_valid() else None
            return done or back_to_form(request, form)
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
            "record_url": page_of(record),
            "back_url": way_back(request) or page_of(record),
            "state": state,
            "button": button,
            "note": CONFIRM_NOTES.get(type(record), lambda _record: "")(record),
            "form": form,
            "media": form.media,
        }
        return TemplateResponse(request, "admin/press.html", context)

    def _press(
        self, request: HttpRequest, button: Button, record: Any, form: ButtonForm, *, state: str
    ) -> HttpResponseBase | None:
        answers = dict(form.cleaned_data)
        seen_state = answers.pop("seen_state")
        if seen_state and seen_state != state:
            messages.error(
                request, f"Nothing was done: since you looked, {record} moved from “{seen_state}” to “{state}”."
            )
            return HttpResponseRedirect(way_back(request) or page_of(record))
        refusals: tuple[type[Exception], ...] = (MoveNotAllowed, *button.refusals)
        try:
            outcome = button.run(Press(record=record, answers=answers, by=staff(request), at=clock.now()))
        except refusals as refusal:
            if form.visible_fields():
                put_on_form(form, refusal)
                return None
            messages.error(request, f"Nothing was done. {refusal}")
            return HttpResponseRedirect(way_back(request) or page_of(record))
        self.log_change(request, record, button.label)
        forget_kept(request)
        if isinstance(outcome, HttpResponseBase):
            return outcome
        landing = outcome if isinstance(outcome, Landing) else Landing(outcome, record)
        messages.success(request, landing.text)
        return HttpResponseRedirect(way_back(request) or page_of(landing.record))


class RegisteredByAction(RecordAdmin):
    """A record that staff may add: a form checks what was typed, one action registers it."""

    registering_form: ClassVar[type[ButtonForm]]
    registering_refusals: ClassVar[tuple[type[Exception], ...]] = ()
    registering_intro: ClassVar[str] = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        opts = self.opts
        return request.user.has_perm(f"{opts.app_label}.{get_permission_codename('add', opts)}")

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> Model:
        raise NotImplementedError

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            form = self.registering_form(request.POST)
            record = self._register(request, form) if form.is_valid() else None
            if record is None:
                return back_to_form(request, form)
            forget_kept(request)
            return HttpResponseRedirect(way_back(request) or page_of(record))
        kept = kept_for(request)
        if kept is not None:
            form = self.registering_form(kept.fields)
            show_kept(request, form, kept)
        else:
            form = self.registering_form(initial=request.GET.dict())
        context = {
            **self.admin_site.each_context(request),
            "title": f"Add {self.opts.verbose_name}",
            "opts": self.opts,
            "form": form,
            "media": form.media,
            "intro": self.registering_intro,
            "list_url": way_back(request) or reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/register.html", context)

    def _register(self, request: HttpRequest, form: ButtonForm) -> Model | None:
        answers = {name: answer for name, answer in form.cleaned_data.items() if name != "seen_state"}
        try:
            record = self.register(answers, by=staff(request), at=clock.now())
        except self.registering_refusals as refusal:
            put_on_form(form, refusal)
            return None
        self.log_addition(request, record, "Registered.")
        messages.success(request, f"{capfirst(str(self.opts.verbose_name))} “{record}” was added.")
        return record


def back_to_form(request: HttpRequest, form: forms.Form) -> HttpResponse:
    """Lead back to a refused form's own page, which shows what was typed and what is wrong with it."""
    kept_forms.keep_refused(form, owner=_owner(request), place=request.path)
    return HttpResponseRedirect(kept_forms.again_address(request))


def kept_for(request: HttpRequest) -> kept_forms.Kept | None:
    """Return what this person typed on this page before, where the address asks for it."""
    return kept_forms.find(owner=_owner(request), place=request.path) if kept_forms.AGAIN in request.GET else None


def show_kept(request: HttpRequest, form: forms.Form, kept: kept_forms.Kept) -> None:
    if said := kept_forms.show_again(form, kept):
        messages.warning(request, said)


def forget_kept(request: HttpRequest) -> None:
    kept_forms.forget(owner=_owner(request), place=request.path)


def _owner(request: HttpRequest) -> str:
    return kept_forms.owner_of(request.user.pk)


def put_on_form(form: forms.Form, refusal: Exception) -> None:
    """Show a refusal beside the fields it names in `problems`, or above the form when it names none of them."""
    problems = getattr(refusal, "problems", {})
    placed = False
    for name, texts in problems.items():
        if name in form.fields:
            form.add_error(name, [texts] if isinstance(texts, str) else list(texts))
            placed = True
    if not placed:
        form.add_error(None, str(refusal))


def as_download(content: bytes, *, name: str, content_type: str) -> HttpResponse:
    """Answer with a file that the browser saves and never shows inside our pages."""
    return HttpResponse(
        content,
        content_type=content_type,
        headers={
            "Content-Disposition": content_disposition_header(as_attachment=True, filename=name),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )


def staff(request: HttpRequest) -> Actor:
    """Name the signed-in member of staff as the one who acts."""
    if request.user.pk is None:
        raise PermissionDenied
    return Actor.staff(request.user.pk)


def page_of(record: Model) -> str:
    """Give the address of a record's page, or nothing when it has none."""
    opts = record._meta
    try:
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[quote(record.pk)])
    except NoReverseMatch:
        return ""


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    """Whether this person may open the pages of such records; where there are none, nobody may see them elsewhere."""
    its_admin = admin.site._registry.get(model)  # noqa: SLF001 - the site has no public look-up
    return its_admin is not None and bool(its_admin.has_view_permission(request))


def press_url(record: Model, button_name: str, *, back: str = "") -> str:
    """Return the address of a button's page; after it was pressed, `back` is shown instead of the record."""
    opts = record._meta
    address = reverse(f"admin:{opts.app_label}_{opts.model_name}_press", args=[quote(record.pk), button_name])
    return f"{address}?{urlencode({BACK: back})}" if back else address


def way_back(request: HttpRequest) -> str:
    """Return the page in the admin from which an act was started; nothing when none is named, or another site's."""
    back = request.GET.get(BACK, "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith(reverse("admin:index"))
    return back if is_ours else ""


def buttons_of(record: Any, request: HttpRequest, *, back: str = "") -> list[Cell]:
    """Return the ways to what this person can do with a record now, for the page of another record."""
    record_admin = admin.site._registry.get(type(record))  # noqa: SLF001 - the site has no public look-up
    if not isinstance(record_admin, RecordAdmin):
        return []
    return [
        Cell(button.label, press_url(record, button.name, back=back), tone="grave" if button.is_grave else "")
        for button in record_admin.buttons
        if not button.is_direct and record_admin.may_press(request, button) and button.is_offered(record)
    ]


@dataclass(frozen=True)
class Links:
    """The records of one kind that name this one."""

    title: str
    records: list[Cell] = field(default_factory=list)
    more_url: str = ""


def linked_records(
    record: Model, site: admin.AdminSite, request: HttpRequest, *, hidden: frozenset[str] = frozenset()
) -> Iterator[Links]:
    """
    Find the records that name this one, whichever floor they live on.

    Read from the models' own relations, so a lower floor need not know the one above. Kinds whose list the person may
    not see, and relations named in `hidden`, are left out.
    """
    for relation in record._meta.related_objects:
        name = relation.get_accessor_name()
        related_admin = site._registry.get(relation.related_model)  # noqa: SLF001 - the site has no public look-up
        if name is None or name in hidden or related_admin is None:
            continue
        if not related_admin.has_view_permission(request):
            continue
        opts = relation.related_model._meta
        found = list(
            relation.related_model._default_manager.filter(**{relation.field.name: record}).order_by("-pk")[
                : LINKS_SHOWN + 1
            ]
        )
        if not found:
            continue
        list_url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
        yield Links(
            title=capfirst(str(opts.verbose_name_plural)),
            records=[Cell(str(each), page_of(each), note=_status_of(each)) for each in found[:LINKS_SHOWN]],
            more_url=f"{list_url}?{relation.field.name}__id__exact={record.pk}" if len(found) > LINKS_SHOWN else "",
        )


def _status_of(record: Any) -> str:
    return str(record.get_status_display()) if hasattr(record, "get_status_display") else ""


def moment(at: datetime | None) -> str:
    """Write an instant in Chicago time, to the minute."""
    return date_format(timezone.localtime(at), "M j, Y, H:i") if at else "—"


def age(since: datetime, at: datetime) -> str:
    """Say in one word or two how long something has lasted, or lies ahead."""
    length = abs(at - since)
    if length < timedelta(minutes=1):
        return "under a minute"
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(length.total_seconds() // seconds)
        if count:
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return "under a minute"


def name_actors(references: Iterable[str]) -> dict[str, str]:
    """Turn stored actors, such as `staff:3`, into names for people, with one query."""
    wanted = set(references)
    user_kinds = ("staff", "technician", "client_system")
    user_ids = {
        int(number)
        for kind, _, number in (reference.partition(":") for reference in wanted)
        if kind in user_kinds and number.isdigit()
    }
    users = get_user_model()._default_manager.in_bulk(user_ids) if user_ids else {}
    names = {}
    for reference in wanted:
        kind, _, number = reference.partition(":")
        words = kind.replace("_", " ").capitalize()
        if kind in user_kinds and number.isdigit() and int(number) in users:
            username = users[int(number)].get_username().removeprefix(SERVICE_ACCOUNT_MARK)
            names[reference] = f"{username} ({kind.replace('_', ' ')})"
        else:
            names[reference] = f"{words} {number}".strip()
    return names
