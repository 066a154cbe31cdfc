"""The Celery application: one queue of nudges, and the sweeps that make every nudge dispensable."""

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

app = Celery("switchyard")
app.config_from_object("django.conf:settings", namespace="CELERY")


@setup_logging.connect
def keep_our_logging(**_options: object) -> None:
    """Leave logging as the settings have it: being connected is what keeps Celery from setting up its own."""
