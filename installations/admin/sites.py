from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from core.actors import Actor
from core.admin.buttons import ButtonForm
from core.admin.records import AddableRecordAdmin
from core.admin.tables import Cell, Table
from installations import esi_ids
from installations.actions import register_site
from installations.admin.customers import jobs_table
from installations.models import Site


class SiteForm(ButtonForm):
    address_1 = forms.CharField(label="Street address", max_length=200)
    address_2 = forms.CharField(label="Apartment or suite", max_length=100, required=False)
    city = forms.CharField(max_length=100)
    postal_code = forms.CharField(label="ZIP code", max_length=10)
    esi_id = forms.CharField(
        label="ESI ID",
        max_length=60,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text="17 or 22 digits, from the electricity bill. Spaces and dashes are ignored.",
    )
    esi_id_compared = forms.BooleanField(
        label="The ESI ID ends in 00, and I compared all digits with the bill",
        required=False,
        help_text="Needed only if it ends in 00: a spreadsheet may have rounded it.",
    )


@admin.register(Site)
class SiteAdmin(AddableRecordAdmin):
    list_display = ("__str__", "postal_code", "esi_id", "tdu_code", "created_at")
    list_filter = ("tdu_code", "city")
    search_fields = (
        "esi_id",
        "address_1__unaccented",
        "city__unaccented",
        "postal_code",
        "installations__customer__last_name__unaccented",
    )
    fields = ("address_1", "address_2", "city", "state", "postal_code", "esi_id", "tdu_code", "created_at")
    new_record_form = SiteForm
    new_record_intro = "A site is one premise with one meter. If it is already on file, use that site."

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> Site:
        return register_site(**answers, by=by, at=at)

    def header_context(self, request: HttpRequest, record: Site) -> dict[str, Any]:
        context: dict[str, Any] = {"warnings": esi_ids.esi_id_warnings(record.esi_id)}
        if request.user.has_perm("installations.add_installation"):
            add_url = reverse("admin:installations_installation_add")
            context["next_steps"] = [Cell("Add an installation here", f"{add_url}?site={record.public_id}")]
        return context

    def tables_of(self, _request: HttpRequest, record: Site) -> list[Table]:
        return [jobs_table(record.installations.select_related("site", "customer"), with_site=False)]
