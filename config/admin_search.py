"""
The search in the admin's sidebar, like django-unfold's but without its cache.

Unfold caches pickled Python objects, which our Redis cache rejects, because unpickling can run code. Searching the
names of some forty kinds of records is faster than a cache anyway.
"""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

MAX_TERM_LENGTH = 100
MATCHES_PER_PAGE = 100


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """List the kinds of records whose name contains the term."""
    term = request.GET.get("s", "").strip()[:MAX_TERM_LENGTH].lower()
    if not term:
        return HttpResponse()
    site: Any = admin.site
    matches = site._search_apps(site.get_app_list(request), term)  # noqa: SLF001 - unfold has no public method for it
    page = Paginator(matches, MATCHES_PER_PAGE).get_page(request.GET.get("page"))
    names = ["command_results"] if "extended" in request.GET else ["search_results", "command_results"]
    context = {
        "page_obj": page.paginator,
        "results": page,
        "search_term": term,
        "page_counter": page.start_index() - 1 if matches else 0,
        "execution_time": 0,
        "command_show_history": None,
    }
    # The release for Python 3.11 has a second list; later releases show the first one everywhere.
    templates = [f"unfold/helpers/{name}.html" for name in names]
    return TemplateResponse(request, templates, context, headers={"HX-Trigger": "search"})
