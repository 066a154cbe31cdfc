from django.apps import AppConfig


class PoaDocumentsConfig(AppConfig):
    name = "poa_documents"
    verbose_name = "powers of attorney"

    def ready(self) -> None:
        from poa_documents import tasks  # noqa: F401 - registered here, so that every process can queue them by name
