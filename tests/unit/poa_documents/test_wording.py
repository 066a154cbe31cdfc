"""The wording that comes with the product, and how it is filled in."""

import re
import tomllib
from dataclasses import asdict, replace
from string import Formatter, Template
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installations.models import Language
from poa_documents.actions.drafts import TEXTS_FOLDER
from poa_documents.models import WORDING_FIELDS, PoaTemplate, Statement
from poa_documents.phrases import PHRASES_FILE
from poa_documents.wording_rendering import BlockKind, Case, WordingBroken, blocks, render, sha256_of_words

CASE = Case(
    customer_name="Carmen Reyes",
    service_address="12 Juniper Lane, Round Rock, TX 78664",
    esi_id="10443720000000001",
    organization_name="Lone Star Home Energy",
    organization_contact="(512) 555-0100",
    broker_number="BR000000",
    plan_name="Solar Buyback 12",
    plan_summary="A fixed price for 12 months.",
    limits=(("Kind of rate", "fixed rate"), ("Longest contract term", "12 months")),
    earliest_start="March 2, 2026",
    latest_start="May 1, 2026",
    sunset="June 1, 2026",
    uses="1",
)
TEXTS = [(folder.name, language) for folder in sorted(TEXTS_FOLDER.iterdir()) for language in sorted(Language.values)]


def words_of(version: str, language: str) -> dict[str, Any]:
    return tomllib.loads((TEXTS_FOLDER / version / f"{language}.toml").read_text(encoding="utf-8"))


def template(version: str = "1", language: str = "en", **changes: Any) -> PoaTemplate:
    return PoaTemplate(version=int(version), language=language, **{**words_of(version, language), **changes})


@pytest.mark.parametrize(("version", "language"), TEXTS)
def test_every_text_can_be_filled_from_a_case(version: str, language: str) -> None:
    text = render(template(version, language), CASE)

    assert set(text.words) == set(Statement)
    assert all(words and "$" not in words for words in text.words.values())


@pytest.mark.parametrize("version", sorted({version for version, _ in TEXTS}))
def test_both_languages_have_equal_texts_and_placeholders(version: str) -> None:
    english, spanish = words_of(version, "en"), words_of(version, "es")

    assert english.keys() == spanish.keys()
    assert english["effective_from_date"] == spanish["effective_from_date"]
    for name in set(WORDING_FIELDS) & english.keys():
        assert set(Template(english[name]).get_identifiers()) == set(Template(spanish[name]).get_identifiers()), name


@pytest.mark.parametrize(("version", "language"), TEXTS)
def test_body_names_person_meter_limits_dates_and_end(version: str, language: str) -> None:
    document = render(template(version, language), CASE).document

    for part in (CASE.customer_name, CASE.service_address, CASE.esi_id, CASE.broker_number, CASE.sunset):
        assert part in document
    assert "- Longest contract term: 12 months" in document


@pytest.mark.parametrize(
    "duty",
    [
        "may have everything on paper",  # (B)(i)(I)
        "may withdraw this consent at any time",  # (B)(i)(II)
        "What your consent covers",  # (B)(ii)
        "free of charge, by calling or writing",  # (B)(iii) how to withdraw
        "Keeping your contact details up to date",  # (B)(iii) how to update
        "Paper copies",  # (B)(iv)
        "It is free of charge",  # (B)(iv) fee
        "What you need: a phone, tablet or computer",  # (C)(i)
        "confirm that you can open",  # (C)(ii)
        "If these needs change",  # (D)
    ],
)
def test_disclosure_covers_every_point_of_15_usc_7001_c(duty: str) -> None:
    assert duty in words_of("1", "en")["erecord_disclosure"]


@pytest.mark.parametrize(("version", "language"), TEXTS)
def test_no_text_survives_incapacity(version: str, language: str) -> None:
    body = words_of(version, language)["body"].lower()

    assert re.search(r"not a durable|no es un poder duradero", body)
    for survival in ("disability or incapacity of the principal", "not affected by", "no se verá afectado"):
        assert survival not in body


def test_hash_changes_with_every_word() -> None:
    text = render(template(), CASE)
    other = render(template(), replace(CASE, sunset="June 2, 2026"))

    assert text.sha256 == sha256_of_words(text.document)
    assert text.sha256 != other.sha256


def test_unknown_placeholder_is_refused() -> None:
    with pytest.raises(WordingBroken, match="nickname"):
        render(template(body="Dear $nickname"), CASE)


def test_lone_dollar_sign_is_refused() -> None:
    with pytest.raises(WordingBroken):
        render(template(body="It costs $ 5"), CASE)


@given(name=st.text(min_size=1, max_size=60))
def test_name_never_adds_placeholders_headings_or_paragraphs(name: str) -> None:
    plain = blocks(render(template(), CASE).document)
    odd = blocks(render(template(), replace(CASE, customer_name=f"x{name}x")).document)

    assert [block.kind for block in odd] == [block.kind for block in plain]
    assert " ".join(f"x{name}x".split()) in odd[1].text


def test_text_is_split_into_headings_lists_and_paragraphs() -> None:
    parted = blocks("# Title\n\n## One\n\nA line\nand more\n\n- first\n- second")

    assert [(block.kind, block.lines) for block in parted] == [
        (BlockKind.HEADING, ("One",)),
        (BlockKind.PARAGRAPH, ("A line and more",)),
        (BlockKind.LIST, ("first", "second")),
    ]


def test_case_values_are_only_text() -> None:
    assert all(isinstance(value, (str, tuple)) for value in asdict(CASE).values())


def test_every_phrase_has_both_languages_and_equal_placeholders() -> None:
    for section, phrases in tomllib.loads(PHRASES_FILE.read_text(encoding="utf-8")).items():
        for name, versions in phrases.items():
            placeholders = [
                {field for _, field, _, _ in Formatter().parse(versions[language]) if field}
                for language in ("en", "es")
            ]
            assert set(versions) == {"en", "es"}, f"{section}.{name}"
            assert placeholders[0] == placeholders[1], f"{section}.{name}"
