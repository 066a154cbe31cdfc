"""
Links of the admin's templates, where the skin's own would name a record by its primary key.

The skin renders a template, and so loads this module, while `core.admin` is being imported. Hence the imports inside.
"""

from typing import Any

from django import template
from django.db.models import Model
from django.template import RequestContext
from django.template.loader import render_to_string
from django.urls import reverse

register = template.Library()


@register.filter
def page_url(record: Model, page: str) -> str:
    from core.admin import links

    return links.page_url(record, page)


@register.simple_tag(takes_context=True)
def trail(context: RequestContext) -> str:
    """Return the way to this page for its header: package, list, record."""
    from core.admin import links, unfold_imports

    record = context.get("original") or context.get("object")
    if not isinstance(record, Model):
        return str(unfold_imports.header_title(context))
    opts: Any = record._meta
    parts = [
        {"link": reverse("admin:app_list", args=[opts.app_label]), "title": opts.app_config.verbose_name},
        {"link": links.list_url(type(record)), "title": opts.verbose_name_plural},
        {"link": links.record_url(record), "title": record},
    ]
    return render_to_string("unfold/helpers/header_title.html", {"parts": parts}, request=context.request)
