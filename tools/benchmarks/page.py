"""Writes `docs/benchmarks.md` from the recorded figures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.benchmarks.results import Results

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

How fast Switchyard is, beside a bare contender that does the same in the same run. Written by the commands named below
from `tools/benchmarks/results.json`; figures move with the machine, so each section names the one that it ran on. Both
contenders share it with PostgreSQL and the load.

```
make bench                          # all but the large ones; PostgreSQL and Redis are started for it
make bench ARGS=webhooks            # one of them: webhooks, enrollments, documents, sweep, sweep-large
make test-overload                  # a thousand go-lives in a minute; three quarters of an hour
```

Rounds of both contenders alternate. A figure is the median of its rounds; a ratio is the median of the rounds' ratios.
"""


def write_page() -> None:
    PAGE.write_text(text(Results.load()), encoding="utf-8")


def text(results: Results) -> str:
    parts = [HEAD]
    for name, write in SECTIONS.items():
        parts.append(write(results.sections.get(name)))
    return "\n".join(parts)


def _ran(kept: Mapping[str, Any]) -> str:
    return f"On {kept['day']}, {kept['machine']}; load of the machine before it began: {kept['load']}.\n"


def _webhooks(kept: Mapping[str, Any] | None) -> str:
    head = """## Signed webhooks

`POST /webhooks/light/` in gunicorn with two processes of eight threads, on PostgreSQL, over eight connections. The bare
view has no middleware, makes the same HMAC check and one insert into a table of three columns. Goal: 0.9 of it.
"""
    if kept is None:
        return f"{head}\nNot measured yet.\n"
    return f"""{head}
| | a second |
|---|---|
| ours | {kept["ours"]} |
| bare | {kept["bare"]} |
| ratio | {kept["ratio"]} |

Rounds of {kept["requests"]} webhooks, ours and bare: {_rounds(kept)}.

What ours does besides: it parses the event for its id, keeps the headers and a hash, and fills the indexes by which
sweeps and screens find the row.

{_ran(kept)}"""


def _enrollments(kept: Mapping[str, Any] | None) -> str:
    head = """## Enrollments

From the report of the permission to operate to the finalized enrollment: web, two workers of two processes and two
schedulers, on PostgreSQL, Redis and an S3 server. The bare loop makes the same calls (plans, token, acceptance,
reading, finalizing, reading), keeps nothing, and gets no webhooks. Light's stand-in runs beside both and serves both as
many calls at once, which is the number of processes of the loop; ours always has its four. Goal: 0.5 of the loop where
Light answers without delay, 0.95 where each answer takes 50 ms.
"""
    if kept is None:
        return f"{head}\nNot measured yet: `make bench ARGS=enrollments`.\n"
    rows = "\n".join(
        f"| {one['remote_ms']} ms | {one['in_flight']} | {one['ours']} | {one['bare']} | {one['ratio']} "
        f"| {one['calls_each']} |"
        for one in kept["settings"]
    )
    most = max(one["ours"] for one in kept["settings"])
    return f"""{head}
| Light answers after | calls at once | ours, a second | bare, a second | ratio | our calls for each |
|---|---|---|---|---|---|
{rows}

Rounds of {kept["ours_a_round"]} of ours, in {kept["processes"]} processes, and {kept["bare_a_round"]} bare.

What ours does besides, and what nearly all of its time is: before each of the three writes it decides under lock,
keeps the request, and decides once more right before it is sent; each step goes into the case's history and the
hash-chained journal; the sealed file is read back and its seal checked before the acceptance; offers are judged and
kept; the webhooks that Light sends are checked, stored and matched; the plan's documents are fetched and stored, and
the customer is written to. That fills this machine at {most} a second, whatever Light does. Where Light is what both
wait for, ours keeps up, even above 1: another case's call goes out while one case is worked on, and its last readings
come after the last finalizing, where its time ends. Where Light is not, the loop, which has nothing to keep, leaves it
behind. The goals are reached where the ratios say so, and nowhere else.

{_ran(kept)}"""


def _sweep(kept: Mapping[str, Any] | None) -> str:
    head = """## The sweep

How long the sweep looks for due enrollments when fifty of very many are due. Goal: flat, by the index.
"""
    return _sizes(head, kept)


def _sweep_large(kept: Mapping[str, Any] | None) -> str:
    return _sizes("### Ten million rows (`make bench ARGS=sweep-large`)\n", kept)


def _sizes(head: str, kept: Mapping[str, Any] | None) -> str:
    if kept is None:
        return f"{head}\nNot measured yet.\n"
    rows = "\n".join(
        f"| {one['rows']:,} | {one['by_urgency_milliseconds']} | {one['whole_milliseconds']} |" for one in kept["sizes"]
    )
    plans = "\n".join(f"{one['rows']:,}: {'; '.join(one['plan'])}" for one in kept["sizes"])
    return f"""{head}
| rows | due, most urgent first, ms | all that a sweep asks, ms |
|---|---|---|
{rows}

`EXPLAIN` of the search for due enrollments:

```
{plans}
```

{_ran(kept)}"""


def _overload(kept: Mapping[str, Any] | None) -> str:
    head = """## Overload

Many installations reach their permission to operate at once, and Light allows few calls a second (cell O1 of the fault
matrix). The shortest time possible is the number of necessary calls divided by the rate. Goal: at most 1.15 of it.
"""
    if kept is None:
        return (
            f"{head}\nThe run with a thousand cases (`make test-overload`) has not been made on a quiet machine yet. "
            "The short one in\n`make test-flood` insists on the number of calls, on each case being accepted once, "
            "and on next to no 429.\n"
        )
    calls = ", ".join(f"{purpose}: {count}" for purpose, count in sorted(kept["calls"].items()))
    return f"""{head}
| | |
|---|---|
| cases | {kept["cases"]}, reported within {kept["seconds_of_reports"]} s |
| Light allows | {kept["calls_per_second"]} calls a second |
| necessary calls | {kept["necessary_calls"]}, at least {kept["shortest_seconds"]} s |
| until the last was finalized | {kept["seconds"]} s |
| ratio | {kept["ratio"]} |
| calls | {calls} |
| of them answered 429 | {kept["refused"]} |

{_ran(kept)}"""


def _documents(kept: Mapping[str, Any] | None) -> str:
    head = """## Signed documents

Rendered with typst, sealed with pyHanko and stored with read-back, on one thread. The bare contender does the same with
the two libraries alone and a file. Goal: at least 0.8 of it.
"""
    if kept is None:
        return f"{head}\nNot run on a quiet machine yet: `make bench ARGS=documents`.\n"
    return f"""{head}
| | documents a second |
|---|---|
| Switchyard | {kept["ours_per_second"]} |
| bare | {kept["bare_per_second"]} |
| ratio | {kept["ours_beside_bare"]} |

{_ran(kept)}"""


def _rounds(kept: Mapping[str, Any]) -> str:
    return ", ".join(f"{ours}/{bare}" for ours, bare in kept["rounds"])


SECTIONS: dict[str, Callable[[Mapping[str, Any] | None], str]] = {
    "webhooks": _webhooks,
    "enrollments": _enrollments,
    "sweep": _sweep,
    "sweep-large": _sweep_large,
    "documents": _documents,
    "overload": _overload,
}
