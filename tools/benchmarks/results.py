"""The figures of the last runs, stored beside the code, from which `docs/benchmarks.md` is written."""

import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("results.json")


@dataclass
class Results:
    sections: dict[str, dict[str, Any]]

    @classmethod
    def load(cls) -> "Results":
        return cls(json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {})

    def keep(self, section: str, figures: dict[str, Any], *, load: float) -> None:
        """Replace the figures of one benchmark; `load` is what else ran when it started."""
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        self.sections[section] = {"day": day, "machine": machine(), "load": round(load, 1), **figures}
        FILE.write_text(json.dumps(self.sections, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def machine() -> str:
    """Describe the machine of the run without naming it."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({cpu}), {memory_gib:.0f} GiB, Linux, Python {platform.python_version()}"
