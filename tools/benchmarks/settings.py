"""Settings of the processes that benchmarks start: the embedded mode, with no days to object to a plan."""

from config.settings.local import *  # noqa: F403

SAMPLE_COMPANY_RULES = {"advance_notice_days": 0}
