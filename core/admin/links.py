"""
URLs of records and buttons in the admin, and the records that refer to a record.

They name a record by its public ID (`core.public_records`). `core.admin.records.PublicIdAdmin` finds it again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import ForeignKey, Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import capfirst

from core.admin.tables import Cell
from core.public_records import PublicRecord

LINKS_SHOWN = 20

BACK = "back"
"""Query parameter with the page to return to after a button was used."""


def id_in_urls(record: Model) -> str:
    """
    Return what names a record in the admin's URLs.

    Django's own groups and log entries have no public ID. Their pages are for superusers, and nothing links to them.
    """
    return str(record.public_id) if isinstance(record, PublicRecord) else str(quote(record.pk))


def page_url(record: Model, page: str = "change") -> str:
    """Return the URL of one of a record's pages, or an empty string if it has none."""
    opts = record._meta
    try:
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=[id_in_urls(record)])
    except NoReverseMatch:
        return ""


def record_url(record: Model) -> str:
    """Return the URL of a record's page, or an empty string if it has none."""
    return page_url(record)


class RecordLink:
    """Show a reference as a link to the record's page. The skin's own link has the primary key."""

    def __init__(self, reference: ForeignKey[Any, Any]) -> None:
        self.__name__ = reference.name
        self.short_description = capfirst(str(reference.verbose_name))

    def __call__(self, record: Model) -> str:
        other = getattr(record, self.__name__)
        if other is None:
            return "-"
        url = record_url(other)
        return format_html('<a href="{}" class="text-link">{}</a>', url, other) if url else str(other)


def list_url(model: type[Model], **filters: Model) -> str:
    """Return the URL of the list of records, filtered by records that they refer to."""
    opts = model._meta
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    said = {f"{name}__public_id__exact": id_in_urls(record) for name, record in filters.items()}
    return f"{url}?{urlencode(said)}" if said else url


def can_view(request: HttpRequest, model: type[Model]) -> bool:
    """Whether this person may view records of this model. A model without an admin page is never shown."""
    its_admin = admin.site._registry.get(model)  # noqa: SLF001 - the site has no public look-up
    return its_admin is not None and bool(its_admin.has_view_permission(request))


def button_url(record: Model, button_name: str, *, back: str = "") -> str:
    """Return the URL of a button's page. `back` is the page to show afterwards, instead of the record."""
    opts = record._meta
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_button", args=[id_in_urls(record), button_name])
    return f"{url}?{urlencode({BACK: back})}" if back else url


def return_url(request: HttpRequest) -> str:
    """Return the admin page to go back to; empty if the request names none, or one outside the admin."""
    back = request.GET.get(BACK, "")
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith(reverse("admin:index"))
    return back if is_ours else ""


@dataclass(frozen=True)
class Links:
    """The records of one model that refer to this one."""

    title: str
    records: list[Cell] = field(default_factory=list)
    more_url: str = ""


def linked_records(
    record: Model, site: admin.AdminSite, request: HttpRequest, *, hidden: frozenset[str] = frozenset()
) -> Iterator[Links]:
    """
    Yield the records that refer to this one, from any package.

    They are found through the models' relations, so a package does not need to know the ones above it. Models that the
    person may not view, and relations named in `hidden`, are left out.
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
        yield Links(
            title=capfirst(str(opts.verbose_name_plural)),
            records=[Cell(str(each), record_url(each), note=_status_of(each)) for each in found[:LINKS_SHOWN]],
            more_url=list_url(relation.related_model, **{relation.field.name: record})
            if len(found) > LINKS_SHOWN
            else "",
        )


def _status_of(record: Any) -> str:
    return str(record.get_status_display()) if hasattr(record, "get_status_display") else ""
