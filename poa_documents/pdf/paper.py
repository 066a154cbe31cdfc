"""The document for a signature by hand: the same words as on the pages, with boxes to check and lines to fill in."""

import json
from pathlib import Path
from typing import Any

import typst

from core.company_rules import current_rules
from poa_documents.document_text import text_of
from poa_documents.models import PoaDocument, Statement
from poa_documents.pdf.rendering import to_printable
from poa_documents.phrases import phrases_in
from poa_documents.wording_rendering import blocks

TEMPLATE = Path(__file__).resolve().parent / "paper.typ"
# Paper needs no consent to electronic records. The four confirmations are boxes to check.
PAPER_STATEMENTS = tuple(statement for statement in Statement if statement != Statement.ERECORD)
_BOXES = frozenset({Statement.ACTS_FOR_ME, Statement.LIMITS, Statement.TIMING, Statement.ADULT})
_ORDER = (*(s for s in PAPER_STATEMENTS if s not in _BOXES), *(s for s in PAPER_STATEMENTS if s in _BOXES))


def render_for_paper(poa: PoaDocument) -> bytes:
    """Return the PDF to print, in the language of the POA's wording."""
    text = text_of(poa)
    phrases = phrases_in(text.language)["pdf"]
    content: dict[str, Any] = {
        "title": to_printable(text.title),
        "organization": current_rules().name,
        "language": text.language,
        "number": str(poa.pk),
        "version": str(text.version),
        "sha256": text.sha256,
        "how": phrases["paper_how"],
        "phrases": dict(phrases),
        "parts": [
            {
                "label": phrases[statement],
                "box": statement in _BOXES,
                "blocks": [
                    {"kind": block.kind.value, "lines": block.lines}
                    for block in blocks(to_printable(text.words[statement]))
                ],
            }
            for statement in _ORDER
        ],
    }
    pdf: bytes = typst.compile(
        str(TEMPLATE),
        root=str(TEMPLATE.parent),
        ignore_system_fonts=True,
        sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
        pdf_standards=["a-2a", "ua-1"],
        timestamp=int(poa.created_at.timestamp()),
    )
    return pdf
