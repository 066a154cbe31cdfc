import pytest

from config import generated_docs
from enrollments.models import Enrollment
from installations.models import Installation
from poa_documents.models import PoaDocument


@pytest.mark.parametrize("page", generated_docs.PAGES)
def test_generated_page_is_up_to_date(page: str) -> None:
    assert generated_docs.is_current(page), "run make docs"


def test_diagram_starts_where_records_start() -> None:
    begins = {machine.name: machine.states[0] for machine in generated_docs.MACHINES}

    assert begins == {
        "Installation": Installation._meta.get_field("status").default,
        "Power of attorney": PoaDocument._meta.get_field("status").default,
        "Enrollment": Enrollment._meta.get_field("status").default,
    }


def test_every_state_is_reachable_and_every_move_drawn() -> None:
    for machine in generated_docs.MACHINES:
        targets = {str(move.target) for move in machine.moves.values()}

        assert set(machine.states[1:]) <= targets, machine.name
        assert all(name.replace("_", " ") in generated_docs.states_page() for name in machine.moves)
