"""All URLs."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from accounts.office_sign_in import sign_in
from accounts.second_factor import Surface
from accounts.second_factor_views import urls_of
from config.admin_search import search
from core.admin.record_choices import RecordSearch
from operations import health, metrics

handler400 = "operations.outage_pages.bad_request"
handler500 = "operations.outage_pages.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/login/", sign_in, name="office_sign_in"),
    path("admin/second-step/", urls_of(Surface.OFFICE)),
    path("admin/search/", admin.site.admin_view(search), name="office_search"),
    path("admin/autocomplete/", admin.site.admin_view(RecordSearch.as_view(admin_site=admin.site))),
    path("admin/", admin.site.urls),
    path("portal/", include("enrollments.customer_home.urls")),
    path("portal/", include("poa_documents.portal.urls")),
    path("field/second-step/", urls_of(Surface.FIELD)),
    path("field/", include("installations.field.urls")),
    path("api/", include("config.api")),
    path("webhooks/", include("enrollments.webhooks.urls")),
]
