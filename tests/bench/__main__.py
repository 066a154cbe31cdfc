"""Run benchmarks and write their page: `python -m tests.bench [NAME …]`, all but the large ones by default."""

import argparse
import signal
import sys
from collections.abc import Callable

from tests.bench import webhooks
from tests.bench.page import write_page
from tests.bench.results import Results

BENCHMARKS: dict[str, Callable[[], dict[str, object]]] = {
    "webhooks": webhooks.measure,
}


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends with us
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    wanted = parser.parse_args().names or list(BENCHMARKS)
    if unknown := set(wanted) - set(BENCHMARKS):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}")
    for name in wanted:
        sys.stderr.write(f"{name} …\n")
        figures = BENCHMARKS[name]()
        sys.stderr.write(f"{figures}\n")
        Results.load().keep(name, figures)
    write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
