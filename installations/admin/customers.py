from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from core.actors import Actor
from core.admin.buttons import Button, ButtonContext, ButtonForm
from core.admin.links import record_url
from core.admin.records import AddableRecordAdmin
from core.admin.tables import Cell, Table, display
from core.dates import short_date
from installations.actions import correct_contact, register_customer
from installations.actions.registration import phone_warnings
from installations.models import Customer, Installation, Language


class CustomerForm(ButtonForm):
    first_name = forms.CharField(max_length=100)
    last_name = forms.CharField(max_length=100)
    email = forms.EmailField(label="E-mail address", help_text="The invitation to sign is sent here.")
    phone = forms.CharField(required=False, widget=forms.TextInput(attrs={"type": "tel"}))
    language = forms.ChoiceField(choices=Language.choices, help_text="For every page, e-mail and document.")
    date_of_birth = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Helps Light identify the customer. It is encrypted and not shown again.",
    )


class ContactForm(ButtonForm):
    email = forms.EmailField(label="E-mail address")
    phone = forms.CharField(required=False, widget=forms.TextInput(attrs={"type": "tel"}))
    language = forms.ChoiceField(
        choices=Language.choices,
        help_text="For pages and e-mails. A document waiting for a signature keeps its language; its page offers both.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.record is not None:
            known = {"email": self.record.email, "phone": str(self.record.phone), "language": self.record.language}
            self.initial = {**known, **self.initial}


def _correct_contact(context: ButtonContext) -> str:
    correct_contact(customer_id=context.record.pk, by=context.by, at=context.at, **context.answers)
    return (
        "Corrected. If the e-mail address changed, links sent to the old address stop working, the old address is "
        "notified, and the new one gets a new link. Light is updated once the customer has proved the new address."
    )


@admin.register(Customer)
class CustomerAdmin(AddableRecordAdmin):
    list_display = ("name", "email", "phone", "language", "created_at")
    list_filter = ("language", "created_at")
    search_fields = ("first_name__unaccented", "last_name__unaccented", "email", "phone", "installations__site__esi_id")
    fields = (
        "first_name",
        "last_name",
        "email",
        "phone",
        "language",
        "birth_date_on_file",
        "contact_verified_at",
        "created_at",
    )
    buttons = (
        Button(
            name="correct-contact",
            label="Correct e-mail, phone or language",
            run=_correct_contact,
            explanation="Changes how the customer is contacted from now on. Signed documents do not change.",
            form=ContactForm,
        ),
    )
    new_record_form = CustomerForm
    new_record_intro = "Add the customer first, then the site with its meter, then the installation."

    @display(description="Name", ordering="last_name")
    def name(self, customer: Customer) -> str:
        return str(customer)

    @display(description="Date of birth")
    def birth_date_on_file(self, customer: Customer) -> str:
        return "On file, encrypted" if customer.date_of_birth_text else "Not on file"

    def register(self, answers: dict[str, Any], *, by: Actor, at: datetime) -> Customer:
        return register_customer(**answers, by=by, at=at)

    def header_context(self, request: HttpRequest, record: Customer) -> dict[str, Any]:
        context: dict[str, Any] = {"warnings": phone_warnings(record)}
        if request.user.has_perm("installations.add_installation"):
            context["next_steps"] = [
                Cell("Add a site", reverse("admin:installations_site_add")),
                Cell(
                    "Add an installation for this customer",
                    f"{reverse('admin:installations_installation_add')}?customer={record.public_id}",
                ),
            ]
        return context

    def tables_of(self, _request: HttpRequest, record: Customer) -> list[Table]:
        return [jobs_table(record.installations.select_related("site"), with_site=True)]


def jobs_table(installations: Any, *, with_site: bool) -> Table:
    """List installations, with the site on a customer's page and the customer on a site's page."""

    def row(installation: Installation) -> list[Cell]:
        other = installation.site if with_site else installation.customer
        return [
            Cell(installation.get_kind_display(), record_url(installation)),
            Cell(str(other), record_url(other), note=f"ESI ID {installation.site.esi_id}" if with_site else ""),
            Cell(installation.get_status_display()),
            Cell(_day(installation.scheduled_date)),
        ]

    return Table(
        title="Jobs",
        shows=Installation,
        columns=("Hardware", "Site" if with_site else "Customer", "Status", "Scheduled"),
        rows=[row(installation) for installation in installations],
        empty="No installation yet.",
    )


def _day(day: date | None) -> str:
    return short_date(day) if day else "—"
