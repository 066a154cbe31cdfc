"""
What staff can do with a record: a page that says what will happen, and a POST from there that calls one action.

A form that was refused is shown again with what was typed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from core import kept_forms
from core.actors import Actor

MAX_KEY = 2**63 - 1


@dataclass(frozen=True)
class ButtonContext:
    """A button was pressed: on what, with which answers, by whom, when."""

    record: Any
    answers: dict[str, Any]
    by: Actor
    at: datetime


@dataclass(frozen=True)
class ButtonResult:
    """What a button did, and another record than the pressed one, whose page shows it."""

    text: str
    record: Model


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


class SearchSelect(AutocompleteSelect):
    """A choice among records that are searched for. What names no record, in an address for example, chooses none."""

    def optgroups(self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None) -> Any:
        return super().optgroups(name, [each for each in value if _may_be_key(each)], attrs)


def _may_be_key(typed: str) -> bool:
    return typed.isdecimal() and len(typed) <= len(str(MAX_KEY)) and int(typed) <= MAX_KEY


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

    `run` calls one action and returns the sentence to show, or a file. When the action refuses, its text is shown and
    what was typed is kept. `outages` are exceptions besides refusals whose text tells staff what to do. `is_offered`
    hides the button where it makes no sense. A direct button acts on the first press, without a page that asks again.
    `shows` names the records that it hands out: people who may not open their own pages do not get them here.
    """

    name: str
    label: str
    run: Callable[[ButtonContext], str | ButtonResult | HttpResponseBase]
    explanation: str
    outages: tuple[type[Exception], ...] = ()
    is_offered: Callable[[Any], bool] = _always
    form: type[ButtonForm] = ButtonForm
    is_grave: bool = False
    is_direct: bool = False
    permission: str = ""
    shows: tuple[type[Model], ...] = ()


def redirect_to_form(request: HttpRequest, form: forms.Form) -> HttpResponse:
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


def add_refusal_to_form(form: forms.Form, refusal: Exception) -> None:
    """Show a refusal beside the fields it names in `problems`, or above the form when it names none of them."""
    problems = getattr(refusal, "problems", {})
    placed = False
    for name, texts in problems.items():
        if name in form.fields:
            form.add_error(name, [texts] if isinstance(texts, str) else list(texts))
            placed = True
    if not placed:
        form.add_error(None, str(refusal))


def staff(request: HttpRequest) -> Actor:
    """Name the signed-in member of staff as the one who acts."""
    if request.user.pk is None:
        raise PermissionDenied
    return Actor.staff(request.user.pk)
