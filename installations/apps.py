from django.apps import AppConfig


class InstallationsConfig(AppConfig):
    name = "installations"

    def ready(self) -> None:
        from installations import tasks  # noqa: F401 - registers them, so that every process can queue them by name
