from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts import api_client_actions
from accounts.admin import new_key_page
from accounts.admin.base import AccountRecordAdmin
from accounts.grants import CHANGE_ACCOUNTS
from accounts.models import ApiKey
from core.admin.buttons import Button, ButtonContext
from core.admin.links import record_url
from core.admin.records import related_record_filter
from core.admin.tables import Cell, display


def _revoke(context: ButtonContext) -> str:
    api_client_actions.revoke_key(key_id=context.record.pk, by=context.by, at=timezone.now())
    return "The key is revoked. Calls with it are rejected."


@admin.register(ApiKey)
class ApiKeyAdmin(AccountRecordAdmin):
    """Never shows a secret, except once right after a key is created."""

    change_form_template = "admin/accounts/api_key.html"
    list_display = ("shown_prefix", "owner", "label", "state", "expires_at", "last_used_at")
    list_filter = (related_record_filter("client"), "created_at", "revoked_at")
    search_fields = ("prefix", "label", "client__name", "person__username")
    list_select_related = ("client__account", "person")
    fields = (
        "shown_prefix",
        "owner",
        "label",
        "state",
        "created_at",
        "created_by",
        "expires_at",
        "last_used_at",
        "revoked_at",
        "revoked_by",
    )
    buttons = (
        Button(
            name="revoke",
            label="Revoke",
            run=_revoke,
            explanation="Rejects all calls with this key. This cannot be undone.",
            is_offered=lambda key: key.revoked_at is None and key.expires_at > timezone.now(),
            is_grave=True,
            permission=CHANGE_ACCOUNTS,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        keys: QuerySet[ApiKey] = super().get_queryset(request)
        return keys.select_related("client__account", "person")

    @display(description="Starts with", ordering="prefix")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description="Owner")
    def owner(self, key: ApiKey) -> str:
        return str(key.client) if key.client else f"{key.account.get_username()} (person)"

    @display(description="State")
    def state(self, key: ApiKey) -> str:
        return key.state_at(timezone.now())

    def state_of(self, record: ApiKey) -> str:
        return record.state_at(timezone.now())

    def header_context(self, request: HttpRequest, record: ApiKey) -> dict[str, Any]:
        context: dict[str, Any] = {"secret": new_key_page.take(request, record)}
        if record.client is not None:
            context["next_steps"] = [Cell(f"All keys of {record.client}", record_url(record.client))]
        return context
