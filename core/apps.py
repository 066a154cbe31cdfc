from django.apps import AppConfig
from django.db.backends.signals import connection_created

from core import plain_spelling


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        connection_created.connect(plain_spelling.teach_sqlite, dispatch_uid="core.plain_spelling")
