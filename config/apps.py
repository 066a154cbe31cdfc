from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    label = "switchyard_config"
    verbose_name = "Switchyard"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - registers the checks
