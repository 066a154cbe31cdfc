from django.apps import AppConfig
from django.db.backends.signals import connection_created

from core import plain_spelling


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import wrong_clocks  # only here: it has a model

        connection_created.connect(plain_spelling.teach_sqlite, dispatch_uid="core.plain_spelling")
        connection_created.connect(wrong_clocks.compare_with_new_connection, dispatch_uid="core.wrong_clocks")
