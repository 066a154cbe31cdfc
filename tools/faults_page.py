"""
Writes `docs/faults.md`: every cell of the fault matrix, what it promises, and the tests that show it.

`python -m tools.faults_page` writes the page; with `--check` it fails when the page or a marker is out of date. The
tests are found by their marker `cell` or a name such as `test_q3_...`, without running or importing them. Below stand
the deliberate bugs of `tools/mutations`, with the test that caught each when `make test-mutations` ran last.
"""

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tools.mutations.bugs import BUGS
from tools.mutations.catching import kept_results, problems

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "faults.md"

PARTS: dict[str, dict[str, str]] = {
    "Queue and processes": {
        "Q1": "A worker dies before the acceptance is sent: accepted once, later.",
        "Q2": "A worker dies while Light works: settled by reading, one acceptance.",
        "Q3": "A worker dies between the answer and its record: as Q2, with complete evidence.",
        "Q4": "A worker dies after its record and the message comes again: no second call.",
        "Q5": "All processes of a worker die: all work goes on within 30 seconds of its return.",
        "Q6": "Two workers get the same message: one of them does nothing.",
        "Q7": "The queue is emptied under a thousand due cases: all are done, none twice.",
        "Q8": "A message comes hours late: no effect and no error.",
        "Q9": "Two schedulers work as one.",
        "Q10": "The queue is down while people sign and report: both are stored and answered soon.",
        "Q11": "The queue restarts: workers connect again and go on.",
        "Q12": "One record always fails: the others go on, and it ends in a hold.",
        "Q13": "A worker is asked to stop during a call: the call ends, or its doubt is on record.",
        "Q14": "The queue turns read-only or is full: due work is done without it, and workers return with it.",
        "Q15": "A message that cannot be read: it is dropped, and the worker goes on.",
        "Q16": "The queue hangs: due work is done without it.",
    },
    "Database": {
        "P1": "The server restarts: processes connect again, and open attempts are settled.",
        "P2": "The connection breaks between answer and record: as Q3.",
        "P3": "Deadlocks, serialization failures and lock timeouts repeat the transaction and no call.",
        "P4": "Two sessions insert the same attempt, event or form: one wins, the other sees it.",
        "P5": "The database is down: pages say so, forms keep their entry, webhooks are sent again.",
        "P6": "The database is read-only: pages and readiness say so, and what was sent counts once it is sent again.",
    },
    "Light": {
        "L1": "No answer in time and no effect: doubt, reading, one repeat.",
        "L2": "No answer in time after the effect: doubt, reading, no repeat.",
        "L3": "The connection breaks after the effect: as L2.",
        "L4": "A server error before the effect: as L1.",
        "L5": "A server error after the effect: as L2.",
        "L6": "Asked to wait for some seconds: we wait at least as long, each case separately.",
        "L7": "Asked to wait until a date: we wait at least until then.",
        "L8": "Asked to wait without a time: we wait longer each time, each case separately.",
        "L9": "An expired token is renewed once; if it is still refused, operations are asked.",
        "L10": "Forbidden or unknown: a person is asked, and Light is not called repeatedly.",
        "L11": "The same plan is already accepted: read, and recorded as done.",
        "L12": "A field is refused: a person sees Light's reasons; nothing is repeated.",
        "L13": "Half a response after the effect: as L2.",
        "L14": "A page of HTML does not count as success.",
        "L15": "Nulls, numbers as text and text as numbers: a refusal or a doubt, but no crash.",
        "L16": "Unknown keys, statuses and events: the case continues, and they are shown as received.",
        "L17": "No plan offered: a hold says so.",
        "L18": "Two identical plans: the choice is always the same, and on record.",
        "L19": "The price rose since the request: judged again, and held when outside the limits.",
        "L20": "The plan expired since the request: requested and judged again.",
        "L21": "The answer to a new account is lost: no second account.",
        "L22": "The answer to finalize is lost: read, at most one repeat.",
        "L23": "The answer to our attestation is lost: read, at most one repeat.",
        "L24": "Light is down for three days: slow retries, deadlines are shown, no stampede afterwards.",
        "L25": "Finalize is refused: a hold, and the acceptance is still recorded.",
        "L26": "The customer enrolled without us in between: no other plan is accepted.",
        "L27": "A response arrives byte by byte: the call ends within a minute; writes are settled by reading.",
        "L28": "A write is redirected: not done, neither followed nor sent again, and operations are asked.",
    },
    "Reading lags": {
        "G1": "An acceptance shows within the settling period: found, not repeated.",
        "G2": "An acceptance shows later: a person is asked, it is recognized when it appears, never two.",
        "G3": "A reading is partly outdated or empty: only what names our plan counts, nothing else settles a doubt.",
    },
    "Responses that look right": {
        "R1": "Accept returns 2xx but did nothing: doubt, reading, a person; no mail or finalize before it shows.",
        "R2": "Accept used another plan, start or meter: a hold with both sides; no finalize, no mail.",
        "R3": "Another write returns 2xx without effect: read, repeated or held, never taken as done.",
        "R4": "Plans arrive expired repeatedly: a hold says so, and the calls per case and day are limited.",
        "R5": "Prices in dollars, zero, or below the plan's own rates: a hold, never an acceptance.",
        "R6": "A plan or an account whose identifier is not a UUID: shown, and the others are used.",
        "R7": "Thousands of plans in one response: all judged, the best kept, the rest counted.",
        "R8": "No status, or no kind of rate, anywhere: derived where that is safe, otherwise a person is asked.",
        "R10": "Work that can wait gets its share while urgent work waits, and no row is queued twice.",
    },
    "Webhooks": {
        "W1": "One event fifty times at once: one row, one effect.",
        "W2": "Events out of order: the same result.",
        "W3": "Events that arrive days late move nothing back.",
        "W4": "A forged event is refused and not stored.",
        "W5": "A replayed event has no effect.",
        "W6": "An event for an unknown account is kept and matched later.",
        "W7": "An unknown event is stored and answered with success.",
        "W8": "No event ever arrives: polling reaches the same result.",
        "W9": "Signed but malformed: stored as failed and shown.",
        "W10": "While a secret is rotated both are valid, afterwards only one.",
        "W11": "A failing handler records its error, is retried with pauses, and a button retries it.",
        "W12": "A thousand in a second: all are stored, and the engine stays fast.",
        "W13": "Signed, chunked and without a length: stored, up to the same size limit.",
    },
    "Dates": {
        "D1": "Midnight between decision and call: the start date is planned again.",
        "D2": "The hour that comes twice in the fall: days are right, nothing happens twice.",
        "D3": "The hour that is missing in the spring: days are right.",
        "D4": "Days 7 and 30 are legal only by setting.",
        "D5": "A retry outside the window gets a new date or a hold, and is never sent as it was.",
        "D6": "A plan's validity over holidays is computed as the shortest possible.",
        "D7": "Clocks five minutes apart: no false doubt and no early call.",
        "D8": "A machine's clock is hours off: it takes no case, writes nothing, and raises an alarm.",
    },
    "People": {
        "U1": "Signing clicked twice makes one document.",
        "U2": "Signing on two devices makes one document, and both see it.",
        "U3": "The field form sent five times is one report.",
        "U4": "Two go-live dates at once: one counts, the other is kept and shown.",
        "U5": "Revoked while an acceptance waits to be sent: not sent.",
        "U6": "Revoked while an acceptance is in progress: recorded, and office and customer are told.",
        "U7": "Go-live corrected or withdrawn: the right step at each stage, never silently.",
        "U8": "Acceptances are paused: none starts afterwards.",
        "U9": "A button pressed on a case that has changed is refused with its new state.",
        "U10": "A form from an outdated page is refused with the new state.",
        "U11": "A form whose connection broke is rejected; sent again completely, it counts.",
        "U12": "A phone with little or no signal: pages open, and a report is kept and sent automatically.",
    },
    "Storage": {
        "S1": "Storage refuses while a customer signs: the signature is kept and sealed later.",
        "S2": "Storage hangs while a customer signs: the page responds, and the document is sealed later.",
        "S3": "The response from storage is lost: one object, one row.",
        "S4": "A stored document is missing: the authority is suspended before any acceptance.",
        "S5": "A stored document was altered: the authority is suspended before any acceptance.",
        "S6": "A process dies between object and row: no row without object.",
    },
    "Backup and overload": {
        "B1": "A database restored from before an acceptance: no write until every account is read.",
        "B2": "A copy of production does not write to the live Light unless a setting allows it.",
        "O1": "A thousand go-lives in a minute, five calls a second: each accepted once, in time.",
    },
}

CELLS = {cell for cells in PARTS.values() for cell in cells}

HEAD = """# The fault matrix

What can go wrong, what is promised then, and the tests that show it. Generated by `python -m tools.faults_page` from
the names and markers of the tests; `make check` fails when it is out of date.

After every step of these tests, `tests/invariants.py` checks the promises that must always hold.
"""


BUGS_HEAD = """
## Deliberate bugs

Do the tests notice a broken promise? Each of these bugs is put into a copy of the project, and tests run until
one fails: `make test-mutations`, which takes several minutes. `make check` verifies that each bug still applies to the
code and each test still exists. What a bug replaces is in `tools/mutations/bugs.py`.

| invariant | bug | what it would mean | caught by |
|---|---|---|---|
"""


def cells_of_several_parts() -> list[str]:
    """List the cells that more than one part has: their tests could not be distinguished."""
    return sorted(cell for cell in CELLS if sum(cell in cells for cells in PARTS.values()) > 1)


def cells_of_tests() -> dict[str, list[str]]:
    """Find which tests name which cell, as paths from the folder of the tests."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for test in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                for cell in dict.fromkeys(_named_by(test)):
                    found[cell].append(f"{path.relative_to(ROOT / 'tests')}::{test.name}")
    return found


def cells_without_a_name(found: dict[str, list[str]]) -> list[str]:
    """Return the cells after which no test is named; a marker alone says it of single parameters, and finds no test."""
    return [cell for cell in sorted(CELLS) if not any(cell in _in_name(test) for test in found.get(cell, ()))]


def _in_name(test: str) -> list[str]:
    said = re.match(r"test_((?:[a-z]\d+_)+)", test.rpartition("::")[2], re.IGNORECASE)
    return said[1].upper().split("_") if said else []


def _named_by(test: ast.FunctionDef) -> Iterator[str]:
    yield from CELLS.intersection(_in_name(test.name))
    for decorator in test.decorator_list:
        for call in ast.walk(decorator):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.cell":
                yield from (str(argument.value) for argument in call.args if isinstance(argument, ast.Constant))


def page(found: dict[str, list[str]]) -> str:
    parts = [HEAD]
    for title, cells in PARTS.items():
        parts.append(f"\n## {title}\n\n| cell | promise | shown by |\n|---|---|---|\n")
        for cell, promise in cells.items():
            tests = "<br>".join(f"`{name}`" for name in found.get(cell, ())) or "no test yet"
            parts.append(f"| {cell} | {promise} | {tests} |\n")
    return "".join([*parts, BUGS_HEAD, *_rows_of_bugs()])


def _rows_of_bugs() -> Iterator[str]:
    caught_by = kept_results()
    for bug in BUGS:
        test = f"`{caught_by[bug.name].removeprefix('tests/')}`" if bug.name in caught_by else "nothing yet"
        yield f"| {bug.invariant} | {bug.name.replace('-', ' ')}, in `{bug.file}` | {bug.why} | {test} |\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write docs/faults.md from the markers of the tests.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the page is out of date")
    is_check = parser.parse_args().check
    if repeated := cells_of_several_parts():
        sys.stderr.write(f"Several parts have a cell of the same name: {', '.join(repeated)}.\n")
        return 1
    found = cells_of_tests()
    unknown = sorted(set(found) - CELLS)
    if unknown:
        sys.stderr.write(f"Tests name cells that the matrix does not have: {', '.join(unknown)}.\n")
        return 1
    if unnamed := cells_without_a_name(found):
        sys.stderr.write(f"No test is named after these cells: {', '.join(unnamed)}.\n")
        return 1
    wanted = page(found)
    unfit = problems() if is_check else []
    if unfit:
        sys.stderr.writelines(f"{problem}\n" for problem in unfit)
        return 1
    if not is_check:
        PAGE.write_text(wanted, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        sys.stderr.write("docs/faults.md is out of date: run `make docs`.\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
