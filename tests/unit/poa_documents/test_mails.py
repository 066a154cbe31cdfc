"""Hostile names and texts do nothing to a mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poa_documents.mail.messages import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Carmen\r\nBcc: everybody@example.com", "Carmen Bcc: everybody@example.com"),
        ("Carmen\n\nYour plan was canceled.", "Carmen Your plan was canceled."),
        ("\N{RIGHT-TO-LEFT OVERRIDE}nemraC\N{POP DIRECTIONAL FORMATTING}", "nemraC"),
        ("Car\x00men\N{LINE SEPARATOR}Reyes", "Car men Reyes"),
        ("  María   José  ", "María José"),
        ("مريم", "مريم"),
    ],
)
def test_hostile_text_stays_on_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_long_text_is_cut_to_eighty_characters() -> None:
    assert one_line("x" * 300) == "x" * 79 + "…"


@given(st.text())
def test_any_text_becomes_one_short_line(text: str) -> None:
    line = one_line(text)

    assert len(line) <= 80
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
