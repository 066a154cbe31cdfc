"""
Runs Celery in a process whose clock is some hours off: `python -m tools.service_harness.wrong_clock 26 worker …`.

The kernel's clock cannot be set for one process; but all of our code reads it in one place.
"""

import sys
from datetime import timedelta

from celery.__main__ import main

from core import clock


def run(hours: float, arguments: list[str]) -> None:
    true_now = clock.machine_now
    clock.machine_now = lambda: true_now() + timedelta(hours=hours)
    sys.argv = ["celery", *arguments]
    main()


if __name__ == "__main__":
    run(float(sys.argv[1]), sys.argv[2:])
