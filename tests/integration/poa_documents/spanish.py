"""Finds English in what a customer who chose Spanish reads."""

import re
from functools import cache
from html import unescape
from pathlib import Path

from django.http import HttpResponse

from enrollments.customer_home.progress import PHRASES_FILE as PROGRESS_FILE
from installations.models import Language
from poa_documents.phrases import PHRASES_FILE, phrases_in

ENGLISH_WORDS = re.compile(
    r"\b(the|and|you|your|sign|signed|signature|continue|back|plan group|month|rate|fixed|please|limits|meter)\b", re.I
)
PROPER_NAMES = ("Public Utility Commission of Texas", "Your Rights as a Customer", "Solar Buyback 12")
OFFERS_THE_OTHER_LANGUAGE = {"other_language", "other_language_label"}


def visible_text(page: HttpResponse) -> str:
    """A page's title and its text below the bar with the company and the other language."""
    content = page.content.decode()
    title = re.search(r"<title>(.*?)</title>", content, re.S)
    body = content.partition("<main")[2].partition("</body>")[0]
    labels = " ".join(re.findall(r'(?:aria-label|alt|placeholder|title)="([^"]*)"', body))
    text = " ".join((title[1] if title else "", labels, re.sub(r"<[^>]+>", " ", body)))
    return " ".join(unescape(text).split())


def english_in(text: str) -> set[str]:
    """Return the English words and our English phrases found in a text."""
    for name in PROPER_NAMES:
        text = text.replace(name, "")
    found = {word.lower() for word in ENGLISH_WORDS.findall(text)}
    return found | {phrase for phrase, pattern in _english_phrases() if pattern.search(text)}


@cache
def _english_phrases() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The parts between placeholders of every English phrase, except those that Spanish shares."""
    english = {part for file in (PHRASES_FILE, PROGRESS_FILE) for part in _parts(file, Language.ENGLISH)}
    spanish = "\n".join(part for file in (PHRASES_FILE, PROGRESS_FILE) for part in _parts(file, Language.SPANISH))
    told_apart = sorted(part for part in english if not _as_words(part).search(spanish))
    return tuple((part, _as_words(part)) for part in told_apart)


def _parts(file: Path, language: str) -> list[str]:
    return [
        part.strip()
        for phrases in phrases_in(language, file).values()
        for name, phrase in phrases.items()
        if name not in OFFERS_THE_OTHER_LANGUAGE
        for part in re.split(r"\{\w+\}", phrase)
        if re.search(r"[A-Za-z]{4}", part)
    ]


def _as_words(part: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(part)}(?!\w)")
