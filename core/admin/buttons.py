"""
Buttons on a record's page. Each opens a page that says what will happen; a POST from there calls one action.

A rejected form is shown again with what was typed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from core import kept_forms
from core.abstract_person import Person
from core.actors import Actor


@dataclass(frozen=True)
class ButtonContext:
    """The record a button acts on, the form's answers, who pressed it, and when."""

    record: Any
    answers: dict[str, Any]
    by: Actor
    at: datetime


@dataclass(frozen=True)
class ButtonResult:
    """The message to show, and the record whose page to show it on."""

    text: str
    record: Model


class ButtonForm(forms.Form):
    """The form of a button. `seen_state` is the state the person saw when they opened it."""

    seen_state = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, record: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.record = record
        for name in self.fields:
            _add_css_class(self.fields[name])


def _add_css_class(form_field: forms.Field) -> None:
    if not isinstance(form_field.widget, forms.CheckboxInput | forms.CheckboxSelectMultiple | forms.RadioSelect):
        form_field.widget.attrs.setdefault("class", "sy-input")


def _always(_record: Any) -> bool:
    return True


CONFIRM_NOTES: dict[type[Model], Callable[[Any], str]] = {}
"""
Extra text on a button's page, by model; empty when there is nothing to add.

Higher packages register it, because they know what the button does not stop.
"""


@dataclass(frozen=True)
class Button:
    """
    One thing that staff can do with a record.

    `run` calls one action and returns the message to show, or a file. If the action refuses, its message is shown and
    what was typed is kept. `outages` are other exceptions whose message tells staff what to do. `is_offered` hides the
    button where it makes no sense. A direct button acts at once, without a confirmation page. `shows` lists the models
    whose content the button hands out. Staff who may not view those records do not get the button.
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
    """Redirect to the form's page, which shows what was typed and what is wrong with it."""
    kept_forms.keep_refused(form, owner=_owner(request), place=request.path)
    return HttpResponseRedirect(kept_forms.again_address(request))


def kept_for(request: HttpRequest) -> kept_forms.Kept | None:
    """Return what this person typed on this page before, if the URL asks for it."""
    return kept_forms.find(owner=_owner(request), place=request.path) if kept_forms.AGAIN in request.GET else None


def show_kept(request: HttpRequest, form: forms.Form, kept: kept_forms.Kept) -> None:
    if said := kept_forms.restore_errors(form, kept):
        messages.warning(request, said)


def forget_kept(request: HttpRequest) -> None:
    kept_forms.forget(owner=_owner(request), place=request.path)


def _owner(request: HttpRequest) -> str:
    return kept_forms.owner_of(request.user.pk)


def add_refusal_to_form(form: forms.Form, refusal: Exception) -> None:
    """Show a refusal next to the fields it names in `problems`, or above the form if it names none."""
    problems = getattr(refusal, "problems", {})
    placed = False
    for name, texts in problems.items():
        if name in form.fields:
            form.add_error(name, [texts] if isinstance(texts, str) else list(texts))
            placed = True
    if not placed:
        form.add_error(None, str(refusal))


def staff(request: HttpRequest) -> Actor:
    if not isinstance(request.user, Person):
        raise PermissionDenied
    return Actor.staff(request.user.public_id)
