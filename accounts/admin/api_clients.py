from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import api_client_actions
from accounts.admin import new_key_page
from accounts.admin.base import AccountRecordAdmin, person_of
from accounts.grants import (
    ADD_ACCOUNTS,
    CHANGE_ACCOUNTS,
)
from accounts.models import ApiClient, ApiKey, Scope
from core.actors import Actor
from core.admin.buttons import Button, ButtonContext, ButtonForm, ButtonResult
from core.admin.links import record_url
from core.admin.records import AddableRecordAdmin
from core.admin.tables import Cell, Table, display
from core.staff_formats import moment

DAYS_OFFERED = {"90": "90 days", "180": "180 days", "365": "1 year"}


class ApiClientForm(ButtonForm):
    name = forms.CharField(
        max_length=80,
        validators=[RegexValidator(r"\A\w[\w .&()+-]*\Z", "Use letters, digits, spaces and . & ( ) + - only.")],
        help_text="The system, such as: Sales CRM. Shown in histories and evidence.",
    )
    role = forms.ModelChoiceField(
        Group.objects.filter(permissions__isnull=False).distinct().order_by("name"),
        help_text="The client may do over the API what this group's members may do here.",
    )
    scope = forms.ChoiceField(choices=Scope.choices, initial=Scope.READ, widget=forms.RadioSelect)


class NewKeyForm(ButtonForm):
    label = forms.CharField(max_length=80, help_text="Where the key is used, such as: production server.")
    days = forms.ChoiceField(
        label="Valid for",
        choices=list(DAYS_OFFERED.items()),
        initial="365",
        help_text="Create the next key before this one expires. Both can be valid at the same time.",
    )


def _make_key(context: ButtonContext) -> ButtonResult:
    person = person_of(context.by)
    made = api_client_actions.create_client_key(
        client_id=context.record.pk,
        label=context.answers["label"],
        lifetime=timedelta(days=int(context.answers["days"])),
        by=person,
        at=timezone.now(),
    )
    new_key_page.keep(made, by=person)
    return ButtonResult("Key created. Copy it now: it is shown only once.", made.key)


def _turn_off(context: ButtonContext) -> str:
    api_client_actions.disable_client(client_id=context.record.pk, by=person_of(context.by), at=timezone.now())
    return "The client is turned off. All its calls are rejected."


def _turn_on(context: ButtonContext) -> str:
    api_client_actions.enable_client(client_id=context.record.pk, by=person_of(context.by), at=timezone.now())
    return "The client is turned on. Its valid keys work again."


@admin.register(ApiClient)
class ApiClientAdmin(AccountRecordAdmin, AddableRecordAdmin):
    list_display = ("name", "role", "scope", "is_enabled", "created_at", "created_by")
    list_filter = ("is_enabled", "scope")
    search_fields = ("name",)
    fields = ("name", "role", "scope", "is_enabled", "created_at", "created_by", "updated_at")
    hidden_links = frozenset({"keys"})
    new_record_form = ApiClientForm
    new_record_intro = (
        "A client is another system that calls the API, such as your CRM. It belongs to no person, so it keeps working "
        "when people leave. Create its key on the next page."
    )
    buttons = (
        Button(
            name="new-key",
            label="Create a key",
            run=_make_key,
            explanation="The key is shown only once, on the next page. Copy it into the other system right away. "
            "Two keys can be valid at a time: create the new one, switch the system over, then revoke the old one.",
            is_offered=lambda client: client.is_enabled,
            form=NewKeyForm,
            permission=CHANGE_ACCOUNTS,
        ),
        Button(
            name="turn-off",
            label="Turn off",
            run=_turn_off,
            explanation="Rejects all calls of this client. Its keys stay on file.",
            is_offered=lambda client: client.is_enabled,
            is_grave=True,
            permission=CHANGE_ACCOUNTS,
        ),
        Button(
            name="turn-on",
            label="Turn on",
            run=_turn_on,
            explanation="Accepts this client's calls again, with keys that have not expired or been revoked.",
            is_offered=lambda client: not client.is_enabled,
            permission=CHANGE_ACCOUNTS,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiClient]:
        clients: QuerySet[ApiClient] = super().get_queryset(request)
        return clients.prefetch_related("account__groups")

    @display(description="Role")
    def role(self, client: ApiClient) -> str:
        return client.role or "None (no permissions)"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADD_ACCOUNTS)

    def state_of(self, record: ApiClient) -> str:
        return "Turned on" if record.is_enabled else "Turned off"

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> ApiClient:
        scope = Scope(answers.pop("scope"))
        return api_client_actions.register_client(**answers, scope=scope, by=person_of(by), at=timezone.now())

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
                empty="No keys yet. The client cannot call the API.",
                shows=ApiKey,
            )
        ]
