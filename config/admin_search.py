"""
The search of the sidebar, as the skin does it but without the skin's cache.

The skin keeps what it found as Python objects, which our cache in Redis refuses: it takes nothing that could run code.
Looking through the names of some forty kinds of records again costs less than asking a cache.
"""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

LONGEST_TERM = 100
MATCHES_PER_PAGE = 100


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """List the kinds of records whose name has the term in it."""
    term = request.GET.get("s", "").strip()[:LONGEST_TERM].lower()
    if not term:
        return HttpResponse()
    site: Any = admin.site
    matches = site._search_apps(site.get_app_list(request), term)  # noqa: SLF001 - the skin has no public look-up
    page = Paginator(matches, MATCHES_PER_PAGE).get_page(request.GET.get("page"))
    name = "command_results" if "extended" in request.GET else "search_results"
    context = {
        "page_obj": page.paginator,
        "results": page,
        "page_counter": page.start_index() - 1 if matches else 0,
        "execution_time": 0,
        "command_show_history": None,
    }
    return TemplateResponse(request, f"unfold/helpers/{name}.html", context)
