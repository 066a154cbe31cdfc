"""Pages of the documentation that are made from the code, so that they cannot differ from it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from django.conf import settings

from config.environment import VARIABLES, Variable
from core.moves import Move
from enrollments import states as enrollment_states
from enrollments.light.dialect import DIALECT_VARIABLES
from installations import states as installation_states
from poa_documents import states as poa_states


@dataclass(frozen=True)
class Machine:
    name: str
    source: str
    states: tuple[str, ...]
    moves: Mapping[str, Move]

    def in_order(self, states: Collection[str]) -> list[str]:
        return [state for state in self.states if state in states]


MACHINES = (
    Machine(
        "Installation",
        "installations/states.py",
        tuple(installation_states.InstallationStatus.values),
        installation_states.MOVES,
    ),
    Machine("Power of attorney", "poa_documents/states.py", tuple(poa_states.PoaStatus.values), poa_states.MOVES),
    Machine(
        "Enrollment", "enrollments/states.py", tuple(enrollment_states.EnrollmentStatus.values), enrollment_states.MOVES
    ),
)

_CONFIGURATION_START = """\
# Configuration

Switchyard is configured by environment variables and by nothing else. This page is made from the table in
`config/environment/variables.py` by `make docs`; a test compares both.

Every process looks at all of them when it starts. A value that cannot work stops it, with the variable's name and what
the value should look like; so does a name that is almost one of these. A variable that is set but empty counts as not
set. "required" means that there is no default; the embedded mode (`make demo`, `make run`) makes required secrets at
its first start and keeps them in `secrets.json` in the data folder.

Production (`DJANGO_SETTINGS_MODULE=config.settings.production`) refuses more: SQLite, `memory://`, files on the local
disk, mail that is not sent, addresses without HTTPS, and secrets or names of the installer that are still the defaults.
"""

_STATES_START = """\
# States and moves

Made from the tables of moves in the code by `make states`; a test compares both. A record's status changes only by one
of these moves, and each move leaves an entry with who, when and why.
"""


def configuration_page() -> str:
    parts = [_CONFIGURATION_START]
    for group, variables in groupby(VARIABLES.values(), key=lambda variable: variable.group):
        parts.append(f"\n## {group}\n")
        parts.append("| Variable | Default | Should be | Meaning |\n|---|---|---|---|")
        parts.extend(_configuration_row(variable) for variable in variables)
    parts.append("\n## How Light's API is understood\n")
    parts.append("| Variable | Default | Meaning |\n|---|---|---|")
    parts.extend(
        f"| `{variable.name}` | `{variable.default}` | {variable.meaning} |" for variable in DIALECT_VARIABLES.values()
    )
    return "\n".join(parts) + "\n"


def _configuration_row(variable: Variable) -> str:
    default = "required" if variable.default is None else f"`{variable.default}`" if variable.default else "empty"
    if variable.production_default is not None:
        default += f"; in production `{variable.production_default}`"
    cells = (f"`{variable.name}`", default, variable.shape, variable.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def states_page() -> str:
    return _STATES_START + "".join(_machine_section(machine) for machine in MACHINES)


def _machine_section(machine: Machine) -> str:
    left = {str(state) for move in machine.moves.values() for state in move.sources if state != move.target}
    lines = [f"\n## {machine.name}\n", f"Source: `{machine.source}`.\n", "```mermaid", "stateDiagram-v2"]
    lines.append(f"    [*] --> {machine.states[0]}")
    lines += [
        f"    {state} --> {move.target}: {_readable(name)}"
        for name, move in machine.moves.items()
        for state in machine.in_order(move.sources)
    ]
    lines += [f"    {state} --> [*]" for state in machine.states if state not in left]
    lines += ["```\n", "| Move | From | To | Meaning |", "|---|---|---|---|"]
    lines += [
        f"| {_readable(name)} | {', '.join(machine.in_order(move.sources))} | {move.target} | {move.meaning} |"
        for name, move in machine.moves.items()
    ]
    return "\n".join(lines) + "\n"


def _readable(move_name: str) -> str:
    return move_name.replace("_", " ")


PAGES = {"docs/configuration.md": configuration_page, "docs/states.md": states_page}


def path_of(page: str) -> Path:
    return Path(settings.BASE_DIR) / page


def is_current(page: str) -> bool:
    file = path_of(page)
    return file.exists() and file.read_text() == PAGES[page]()


def write(page: str) -> None:
    file = path_of(page)
    file.parent.mkdir(exist_ok=True)
    file.write_text(PAGES[page]())
