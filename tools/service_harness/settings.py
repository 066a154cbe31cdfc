"""Settings of the processes that tests start: the embedded mode, with shorter waits."""

from config.settings.local import *  # noqa: F403
from tools.service_harness import short_intervals

SWEEP_SECONDS = short_intervals.SWEEP_SECONDS
DOUBT_SETTLING_SECONDS = short_intervals.SETTLING_SECONDS
LEASE_SECONDS = short_intervals.LEASE_SECONDS
CELERY_BEAT_SCHEDULE = {**CELERY_BEAT_SCHEDULE, **sweep_schedule(SWEEP_SECONDS)}  # noqa: F405
SAMPLE_COMPANY_RULES = {"advance_notice_days": 0}
