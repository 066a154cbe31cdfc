from collections.abc import Iterable

from django.apps import AppConfig

from core import log_context


class EnrollmentsConfig(AppConfig):
    name = "enrollments"

    def ready(self) -> None:
        log_context.register_case_lookup(_cases_of_site)


def _cases_of_site(site_id: int) -> Iterable[int]:
    from enrollments.models import Enrollment  # models are not loaded yet when this module is imported

    return Enrollment.objects.filter(site_id=site_id).order_by("pk").values_list("pk", flat=True)
