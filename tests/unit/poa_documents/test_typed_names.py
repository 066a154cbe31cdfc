"""A typed name may differ in case, accents, initials and suffixes."""

import time

import pytest

from poa_documents.typed_names import is_same_name


@pytest.mark.parametrize(
    ("typed", "on_file"),
    [
        ("Kay Board", "Kay Board"),
        ("kay BOARD", "Kay Board"),
        ("Kay M. Board", "Kay Board"),
        ("K. Board", "Kay Board"),
        ("Kay Board", "Kay Marie B Board".replace("Marie ", "")),
        ("Kay Board Jr.", "Kay Board"),
        ("Kay Board", "Kay Board III"),
        ("Jose Munoz", "José Muñoz"),
        ("Jose\u0301 Mun\u0303oz", "José Muñoz"),
        ("Sean OBrien", "Seán O\u2019Brien"),
        ("Ana Lopez Garcia", "Ana López-García"),
        ("  Kay   Board ", "Kay Board"),
    ],
)
def test_equivalent_spellings_are_the_same_name(typed: str, on_file: str) -> None:
    assert is_same_name(typed, on_file)


@pytest.mark.parametrize(
    ("typed", "on_file"),
    [
        ("Somebody Else Entirely", "Kay Board"),
        ("Kay", "Kay Board"),
        ("Board", "Kay Board"),
        ("K. B.", "Kay Board"),
        ("Kay Bored", "Kay Board"),
        ("Kay Marie Board", "Kay Board"),
        ("Jr.", "Kay Board"),
    ],
)
def test_other_spellings_are_another_name(typed: str, on_file: str) -> None:
    assert not is_same_name(typed, on_file)


def test_hundreds_of_initials_are_compared_quickly() -> None:
    began = time.process_time()

    is_same_name("a " * 125, "a " * 100)

    assert time.process_time() - began < 1
