from django.apps import AppConfig
from django.db.backends.signals import connection_created

from core import accent_search


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import clock_drift  # imported here because it loads a model

        connection_created.connect(accent_search.register_sqlite_functions, dispatch_uid="core.accent_search")
        connection_created.connect(clock_drift.compare_with_new_connection, dispatch_uid="core.clock_drift")
