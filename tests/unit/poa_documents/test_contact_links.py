"""Phone numbers and addresses in contact lines become links, and nothing else does."""

import pytest

from poa_documents.templatetags.contact_links import linked


def test_numbers_and_addresses_become_links() -> None:
    shown = linked("Call (512) 555-0100 or write to help@sunny.example, please.")

    assert '<a href="tel:+15125550100">(512) 555-0100</a>' in shown
    assert '<a href="mailto:help@sunny.example">help@sunny.example</a>, please.' in shown


@pytest.mark.parametrize("text", ["ESI ID 10443720000000001", "at 9 a.m.", "order 12-34", ""])
def test_other_numbers_stay_text(text: str) -> None:
    assert linked(text) == text


def test_markup_stays_text() -> None:
    assert linked("<b>help@sunny.example</b>").startswith("&lt;b&gt;<a href=")
