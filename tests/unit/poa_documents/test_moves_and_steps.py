"""The table of moves, checked state by state, and the order of the page."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.moves import MoveNotAllowed, find_move
from poa_documents.links import hash_of, new_token
from poa_documents.models import Statement
from poa_documents.portal.steps import NUMBERS, STEPS, current_step
from poa_documents.states import MOVES, PoaStatus


@pytest.mark.parametrize(("status", "name"), list(itertools.product(PoaStatus, MOVES)))
def test_every_move_is_allowed_only_from_its_sources(status: PoaStatus, name: str) -> None:
    if status in MOVES[name].sources:
        assert find_move(MOVES, name, subject="POA 1", status=status).target in PoaStatus
    else:
        with pytest.raises(MoveNotAllowed, match=status):
            find_move(MOVES, name, subject="POA 1", status=status)


def test_every_later_status_is_reached_by_some_move() -> None:
    assert {move.target for move in MOVES.values()} == set(PoaStatus) - {PoaStatus.DRAFT}


def test_only_the_seal_first_makes_a_poa_signed() -> None:
    assert {name for name, move in MOVES.items() if move.target == PoaStatus.SIGNED} == {"seal", "resume"}


def test_steps_request_every_statement_once_in_order() -> None:
    asked = [statement for step in STEPS for statement in step.statements]

    assert asked == list(Statement)


@given(given_=st.sets(st.sampled_from(list(Statement))), has_signature=st.booleans())
def test_no_step_is_reached_before_its_predecessors(given_: set[Statement], *, has_signature: bool) -> None:
    now_at = current_step(given_, has_signature=has_signature)

    for step in STEPS[: NUMBERS[now_at.name] - 1]:
        assert set(step.statements) <= given_
    if now_at.name == "review":
        assert has_signature
        assert given_ == set(Statement)


def test_link_has_128_random_bits_and_only_a_hash() -> None:
    tokens = {new_token() for _ in range(200)}

    assert len(tokens) == 200
    assert all(len(token) * 6 >= 128 for token in tokens)
    assert all(len(hash_of(token)) == 64 and token not in hash_of(token) for token in tokens)
