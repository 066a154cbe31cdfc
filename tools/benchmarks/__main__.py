"""Run benchmarks and write their page: `python -m tools.benchmarks [NAME …]`, all but the large ones by default."""

import argparse
import os
import signal
import sys
from collections.abc import Callable

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

from tools.benchmarks import documents, enrollments, sweep, webhooks  # noqa: E402 - the settings come first
from tools.benchmarks.page import write_page  # noqa: E402
from tools.benchmarks.results import Results  # noqa: E402

BENCHMARKS: dict[str, Callable[[], dict[str, object]]] = {
    "webhooks": webhooks.measure,
    "enrollments": enrollments.measure,
    "documents": documents.measure,
    "sweep": sweep.measure,
    "sweep-large": sweep.measure_large,
}
LARGE = {"sweep-large"}


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends with this process
    parser = argparse.ArgumentParser(prog="python -m tools.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    wanted = parser.parse_args().names or [name for name in BENCHMARKS if name not in LARGE]
    if unknown := set(wanted) - set(BENCHMARKS):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}")
    for name in wanted:
        sys.stderr.write(f"{name} …\n")
        load = os.getloadavg()[0]
        figures = BENCHMARKS[name]()
        sys.stderr.write(f"{figures}\n")
        Results.load().keep(name, figures, load=load)
    write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
