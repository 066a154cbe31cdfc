"""
Settings of the demo: the embedded mode in a data folder of its own, with a clock that can be moved.

Another installation on this machine is not touched: the demo has its own database, queue, files and mail. With an empty
PostgreSQL database in `DEMO_DATABASE_URL` and a Redis in `DEMO_BROKER_URL`, web, workers and scheduler are separate
processes, as in production.
"""

import os

os.environ["DATA_DIR"] = os.environ.get("DATA_DIR") or "var/demo"
os.environ.update(
    DATABASE_URL=os.environ.get("DEMO_DATABASE_URL", ""),
    CELERY_BROKER_URL=os.environ.get("DEMO_BROKER_URL", "memory://"),
    CACHE_URL="",
    CELERY_KEY_PREFIX="switchyard-demo:",
    STORAGE_S3_BUCKET="",
    EMAIL_URL="",
)

from config.settings.local import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "demo"]  # noqa: F405

CLOCK = "demo.shared_clock.SharedClock"
SAMPLE_COMPANY_RULES = {"advance_notice_days": 0}  # the stories end on the day of go-live

SWEEP_SECONDS = 1
# The scheduler is faster still: nobody wants to wait a second for each simulated day.
CELERY_BEAT_SCHEDULE = {**CELERY_BEAT_SCHEDULE, **sweep_schedule(0.4)}  # noqa: F405
