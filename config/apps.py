from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class ConfigConfig(AppConfig):
    name = "config"
    label = "switchyard_config"
    verbose_name = "Switchyard"

    def ready(self) -> None:
        from accounts.staff_groups import create_groups
        from config import checks  # noqa: F401 - registers the checks
        from config.celery import app

        # After the last of our apps, when all our permissions exist: Django creates them on the same signal.
        post_migrate.connect(create_groups, sender=apps.get_app_config("auth"))

        # Now, not when a worker first needs them: a tasks module that cannot be imported must stop the process.
        app.autodiscover_tasks(force=True)
