"""
Tries every deliberate bug against the tests that should notice it: `python -m tools.mutations`.

Works in a copy; only `tools/mutations/caught.json` is written here, from which `docs/faults.md` takes its table.
`--check` tries nothing and only says whether every bug still fits the code. Names of bugs try only those.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import Queue

from tools.mutations.bugs import BUGS, Bug
from tools.mutations.catching import catch, copied_project, keep_results, kept_results, problems, run

COPIES = 2
"""How many bugs are tried in parallel."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Try deliberate bugs against the tests that should notice them.")
    parser.add_argument("names", nargs="*", help="only these bugs")
    parser.add_argument("--check", action="store_true", help="try nothing; say whether every bug still fits the code")
    arguments = parser.parse_args()
    if arguments.check:
        found = problems()
        sys.stderr.writelines(f"{problem}\n" for problem in found)
        return 1 if found else 0
    unknown = set(arguments.names) - {bug.name for bug in BUGS}
    if unknown:
        parser.error(f"There is no bug named {', '.join(sorted(unknown))}.")
    return try_bugs(set(arguments.names) or {bug.name for bug in BUGS})


def try_bugs(names: set[str]) -> int:
    began = time.monotonic()
    results, survivors, caught = kept_results(), [], []
    with ExitStack() as stack, ThreadPoolExecutor(COPIES) as pool:
        copies: Queue[Path] = Queue()
        for _ in range(COPIES):
            copies.put(stack.enter_context(copied_project()))

        def try_one(bug: Bug) -> tuple[Bug, str | None]:
            copy = copies.get()
            try:
                return bug, catch(bug, copy)
            finally:
                copies.put(copy)

        for bug, caught_by in pool.map(try_one, [bug for bug in BUGS if bug.name in names]):
            sys.stdout.write(f"{bug.invariant:4} {bug.name}: {caught_by or 'NOT CAUGHT'}\n")
            sys.stdout.flush()
            results.pop(bug.name, None)
            if caught_by is None:
                survivors.append(bug)
            else:
                caught.append(caught_by)
                results[bug.name] = caught_by.partition("[")[0]
            keep_results(results)
        failing = run(dict.fromkeys(caught), copies.get()) if caught else None
    if failing is not None:
        sys.stderr.write(f"{failing} fails without any bug as well: nothing can be learned from it.\n")
    sys.stdout.write(f"{len(caught)} of {len(names)} caught in {time.monotonic() - began:.0f} s.\n")
    return 1 if survivors or failing else 0


if __name__ == "__main__":
    raise SystemExit(main())
