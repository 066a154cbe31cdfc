"""
A small PDF of the same kind as the signed document, with a word that appears nowhere else.

Typing the word shows that the customer can open our documents on their device (15 USC 7001(c)(1)(C)(ii)).
"""

import json
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import typst
from django.utils.crypto import salted_hmac

from core.company_rules import current_rules
from installations.models import Language
from poa_documents.models import PoaDocument
from poa_documents.phrases import phrases_in

TEMPLATE = Path(__file__).resolve().parent / "sample.typ"
WORDS = {
    Language.ENGLISH: (
        "apple", "bridge", "candle", "cedar", "dolphin", "feather", "garden", "hammer", "island", "kitchen", "ladder",
        "lemon", "maple", "meadow", "mirror", "orange", "pencil", "planet", "river", "silver", "summer", "tiger",
        "valley", "window",
    ),
    Language.SPANISH: (
        "abeja", "barco", "camino", "ciruela", "espejo", "farol", "guitarra", "huerta", "iglesia", "jirafa", "ladrillo",
        "limonero", "manzana", "mercado", "naranja", "nube", "paloma", "plata", "puente", "rueda", "semilla", "tambor",
        "ventana", "verano",
    ),
}  # fmt: skip
MAX_TYPED_CHARACTERS = 100
_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


def sample_word(poa: PoaDocument, language: str) -> str:
    """Return the word of one POA's sample. It is stable and cannot be guessed from another POA's."""
    words = WORDS[Language(language)]
    digest = salted_hmac("poa_documents.sample_word", str(poa.pk), algorithm="sha256").digest()
    return words[digest[0] % len(words)]


def is_sample_word(poa: PoaDocument, language: str, typed: str) -> bool:
    """Whether the typed word matches, ignoring case, accents and surrounding characters."""
    return _plain(typed) == _plain(sample_word(poa, language))


@lru_cache(maxsize=64)
def render_sample(language: str, word: str, organization: str) -> bytes:
    """Return the PDF of a sample, always the same for the same word, so that its hash can be recorded."""
    phrases = phrases_in(language)["sample"]
    content = {
        **{name: phrases[name] for name in ("title", "lead", "label", "next")},
        "language": language,
        "word": word,
        "organization": organization,
    }
    pdf: bytes = typst.compile(
        str(TEMPLATE),
        root=str(TEMPLATE.parent),
        ignore_system_fonts=True,
        sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
        pdf_standards=["a-2a", "ua-1"],
        timestamp=int(_EPOCH.timestamp()),
    )
    return pdf


def sample_of(poa: PoaDocument, language: str) -> bytes:
    return render_sample(language, sample_word(poa, language), current_rules().name)


def _plain(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.strip()[:MAX_TYPED_CHARACTERS].casefold())
    return "".join(character for character in parts if character.isalpha())
