"""API clients: other systems, what they may do, and new keys for them."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import actions
from accounts.admin import new_key_page
from accounts.admin.records import AccountRecordAdmin, person_of
from accounts.guards import (
    ADD_ACCOUNTS,
    CHANGE_ACCOUNTS,
)
from accounts.models import ApiClient, ApiKey, Scope
from core.actors import Actor
from core.admin.buttons import Button, ButtonContext, ButtonForm, ButtonResult
from core.admin.links import record_url
from core.admin.records import AddableRecordAdmin
from core.admin.tables import Cell, Table, display
from core.admin.words import moment

DAYS_OFFERED = {"90": "90 days", "180": "180 days", "365": "1 year"}


class ApiClientForm(ButtonForm):
    name = forms.CharField(
        max_length=80,
        validators=[RegexValidator(r"\A\w[\w .&()+-]*\Z", "Use letters, digits, spaces and . & ( ) + - only.")],
        help_text="The system, such as: Sales CRM. Evidence and history show it.",
    )
    role = forms.ModelChoiceField(
        Group.objects.filter(permissions__isnull=False).distinct().order_by("name"),
        help_text="A group: the client may do over the API what its members may do here.",
    )
    scope = forms.ChoiceField(choices=Scope.choices, initial=Scope.READ, widget=forms.RadioSelect)


class NewKeyForm(ButtonForm):
    label = forms.CharField(max_length=80, help_text="Where the key will be kept, such as: production server.")
    days = forms.ChoiceField(
        label="Valid for",
        choices=list(DAYS_OFFERED.items()),
        initial="365",
        help_text="Make the next key before this one ends; both are valid at once.",
    )


def _make_key(context: ButtonContext) -> ButtonResult:
    made = actions.make_client_key(
        client_id=context.record.pk,
        label=context.answers["label"],
        lasts=timedelta(days=int(context.answers["days"])),
        by=person_of(context.by),
        at=timezone.now(),
    )
    new_key_page.keep(made, by=context.by)
    return ButtonResult("The key was made. Copy it now: this page shows it once.", made.key)


def _turn_off(context: ButtonContext) -> str:
    actions.turn_client_off(client_id=context.record.pk, by=person_of(context.by), at=timezone.now())
    return "The client is turned off: its next call is refused, whatever key it sends."


def _turn_on(context: ButtonContext) -> str:
    actions.turn_client_on(client_id=context.record.pk, by=person_of(context.by), at=timezone.now())
    return "The client is turned on: keys that are valid count again."


@admin.register(ApiClient)
class ApiClientAdmin(AccountRecordAdmin, AddableRecordAdmin):
    list_display = ("name", "role", "scope", "is_enabled", "created_at", "created_by")
    list_filter = ("is_enabled", "scope")
    search_fields = ("name",)
    fields = ("name", "role", "scope", "is_enabled", "created_at", "created_by", "updated_at")
    hidden_links = frozenset({"keys"})
    new_record_form = ApiClientForm
    new_record_intro = (
        "A client is another system that calls the API, such as your CRM. It belongs to nobody: it goes on when people "
        "leave. Make its key on the next page."
    )
    buttons = (
        Button(
            name="new-key",
            label="Make a key",
            run=_make_key,
            explanation="The key is shown once, right after this. Put it into the other system at once. "
            "Two keys may be valid at a time: make the new one, switch the system over, then revoke the old one.",
            is_offered=lambda client: client.is_enabled,
            form=NewKeyForm,
            permission=CHANGE_ACCOUNTS,
        ),
        Button(
            name="turn-off",
            label="Turn off",
            run=_turn_off,
            explanation="Every further call of this client is refused. Its keys stay on file.",
            is_offered=lambda client: client.is_enabled,
            is_grave=True,
            permission=CHANGE_ACCOUNTS,
        ),
        Button(
            name="turn-on",
            label="Turn on",
            run=_turn_on,
            explanation="Keys of this client that have neither expired nor been revoked are valid again.",
            is_offered=lambda client: not client.is_enabled,
            permission=CHANGE_ACCOUNTS,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiClient]:
        clients: QuerySet[ApiClient] = super().get_queryset(request)
        return clients.prefetch_related("account__groups")

    @display(description="Role")
    def role(self, client: ApiClient) -> str:
        return client.role or "None: it may do nothing"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADD_ACCOUNTS)

    def state_of(self, record: ApiClient) -> str:
        return "Turned on" if record.is_enabled else "Turned off"

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> ApiClient:
        scope = Scope(answers.pop("scope"))
        return actions.register_client(**answers, scope=scope, by=person_of(by), at=timezone.now())

    def tables_of(self, _request: HttpRequest, record: ApiClient) -> list[Table]:
        now = timezone.now()
        rows = [
            [
                Cell(f"{key.prefix}…", record_url(key)),
                Cell(key.label),
                Cell(key.state_at(now)),
                Cell(moment(key.expires_at)),
                Cell(moment(key.last_used_at)),
            ]
            for key in record.keys.all()[:20]
        ]
        return [
            Table(
                "Keys",
                ("Key", "Label", "State", "Valid until", "Last used"),
                rows,
                empty="No key yet: the client cannot call.",
                shows=ApiKey,
            )
        ]
