"""The text of the customer's pages, mails and file that is not legal wording, in English and Spanish."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

PHRASES_FILE = Path(__file__).resolve().parent / "phrases.toml"

Phrases = Mapping[str, Mapping[str, str]]


@cache
def phrases_in(language: str, file: Path = PHRASES_FILE) -> Phrases:
    """Return the phrases of one language by section and name. Higher packages have their own file."""
    sections = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        section: {name: versions[language] for name, versions in phrases.items()}
        for section, phrases in sections.items()
    }
