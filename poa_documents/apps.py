from django.apps import AppConfig


class PoaDocumentsConfig(AppConfig):
    name = "poa_documents"
    verbose_name = "powers of attorney"
