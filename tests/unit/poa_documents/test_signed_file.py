"""The signed file: identical bytes each time, readable, and possible for any person's name."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from poa_documents.pdf import SignedDocument, render_pdf
from poa_documents.pdf.rendering import Agreement, spell_out, to_printable

DOCUMENT = SignedDocument(
    number=7,
    language="en",
    title="Limited power of attorney",
    customer_name="Carmen Reyes",
    words="# Limited power of attorney\n\n## One\n\nI, Carmen Reyes, agree.\n\n- first\n- second",
    agreements=(
        Agreement(
            label="Timing",
            statement="TIMING",
            words="I understand the timing.",
            agreed_at="March 2, 2026",
            sha256="b" * 64,
        ),
    ),
    facts=(("Signed by", "Carmen Reyes"), ("SHA-256 of the text shown", "c" * 64)),
    signature_kind="TYPED",
    signature_name="Carmen Reyes",
    signature_svg="",
    signed_at=datetime(2026, 3, 2, 16, 0, tzinfo=UTC),
    exact_name="Carmen Reyes",
)


def named(name: str) -> SignedDocument:
    return replace(
        DOCUMENT,
        customer_name=name,
        exact_name=name,
        signature_name=name,
        words=f"# T\n\nI, {name}, agree.",
        facts=(("Signed by", name),),
    )


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())


def test_same_signature_gives_the_same_bytes() -> None:
    assert render_pdf(DOCUMENT) == render_pdf(DOCUMENT)


def test_file_declares_archival_and_accessible_format() -> None:
    pdf = render_pdf(DOCUMENT)
    reader = PdfReader(io.BytesIO(pdf))
    metadata = reader.xmp_metadata
    assert metadata is not None

    xml = metadata.stream.get_data().decode()

    assert "<pdfaid:part>2</pdfaid:part>" in xml
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in xml
    assert "<pdfuaid:part>1</pdfuaid:part>" in xml
    assert "/StructTreeRoot" in reader.root_object
    assert str(reader.root_object["/Lang"]) == "en-US"


def test_every_font_is_embedded() -> None:
    reader = PdfReader(io.BytesIO(render_pdf(DOCUMENT)))
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()]  # type: ignore[index]

    descriptors = [font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object() for font in fonts]

    assert descriptors
    assert all({"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor) for descriptor in descriptors)


def test_words_times_and_hashes_are_readable() -> None:
    text = text_of(render_pdf(DOCUMENT))

    for part in ("I, Carmen Reyes, agree.", "second", "I understand the timing.", "b" * 64, "c" * 64):
        assert part in text


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("José Núñez", "José Núñez"),
        ("Łukasz Žižek", "Łukasz Žižek"),
        ("Nguyễn Thị Hường", "Nguyễn Thị Hường"),
        ("Владимир", "Владимир"),
        ("Ștefan Țepeș", "Ștefan Țepeș"),
        ("Ｗｉｄｅ", "Wide"),  # noqa: RUF001 - full-width letters are the case in point
    ],
)
def test_printable_names_are_printed(name: str, printed: str) -> None:
    assert f"I, {printed}, agree." in text_of(render_pdf(named(name)))


@pytest.mark.parametrize(
    ("name", "latin"),
    [
        ("王小明", "Wang Xiao Ming"),
        ("محمد بن سلمان", "mhmd bn slmn"),
        ("שרה", "srh"),
        ("Ana 🎉 Díaz", "Ana :tada: Díaz"),
        ("สมชาย", "smchay"),
        ("देवी", "devi"),
        ("김민준", "Gim Min Jun"),
        ("やまだ太郎", "yamada Tai Lang"),
        ("\ue000", "□"),
    ],
)
def test_unprintable_names_are_spelled_out_and_kept_in_metadata(name: str, latin: str) -> None:
    pdf = render_pdf(named(name))

    text = text_of(pdf)
    assert f"I, {latin}, agree." in text
    odd = next(
        character for character in name if (not character.isascii() and character.isalpha()) or character in "🎉\ue000"
    )
    assert f"U+{ord(odd):04X}" in text.replace(" ", "")
    author = PdfReader(io.BytesIO(pdf)).metadata
    assert author is not None
    assert author.author == name


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(name='"]) #panic() [#(')
@example(name="\u202eright to left\u202c")
@example(name="\ufffe\ue000\U000f0000")
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_no_name_prevents_the_file(name: str) -> None:
    assert render_pdf(named(name)).startswith(b"%PDF")


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_printable_text_is_unchanged(text: str) -> None:
    once = to_printable(text)

    assert to_printable(once) == once


@given(text=st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), max_size=30))
def test_spelled_out_text_can_be_rebuilt(text: str) -> None:
    spelled = spell_out(text)

    assert spelled.isascii()
    assert spelled.count("<U+") >= sum(not character.isascii() for character in text)


def test_every_printable_character_has_a_glyph() -> None:
    every = "".join(character for character in map(chr, range(0x20, 0x2FFF)) if to_printable(character) == character)
    words = " ".join(every[start : start + 40] for start in range(0, len(every), 40))

    assert render_pdf(replace(DOCUMENT, words=f"# T\n\nx{words}")).startswith(b"%PDF")


def test_decomposed_accent_is_printed_normally() -> None:
    text = text_of(render_pdf(named("Jose\N{COMBINING ACUTE ACCENT} Reyes")))

    assert "José Reyes" in text
    assert "U+0301" not in text


def test_first_page_carries_the_letterhead() -> None:
    pages = PdfReader(io.BytesIO(render_pdf(replace(DOCUMENT, letterhead="Sunny Solar · 512-555-0100")))).pages

    assert pages[0].extract_text().startswith("Sunny Solar · 512-555-0100")
