"""Forms of the customer's pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.http import QueryDict

from poa_documents.models import SignatureKind, Statement

MAX_REASON_LENGTH = 1000


@dataclass
class ConsentForm:
    """Boxes that must be ticked, one per statement, with the hash of the words shown next to each."""

    statements: tuple[Statement, ...]
    needs_ticks: bool
    posted: QueryDict | Mapping[str, str] = field(default_factory=dict)

    def is_ticked(self, statement: Statement) -> bool:
        return not self.needs_ticks or self.posted.get(f"agree_{statement}") == "yes"

    def words_sha256(self, statement: Statement) -> str:
        return str(self.posted.get(f"words_{statement}", ""))

    @property
    def unticked(self) -> list[Statement]:
        return [statement for statement in self.statements if not self.is_ticked(statement)]


@dataclass
class SignatureForm:
    """A typed name and drawn strokes. Both are kept while the customer decides."""

    kind: str = SignatureKind.TYPED
    typed_name: str = ""
    strokes: str = ""
    confirmed_name: str = ""
    """The name that the customer confirmed as theirs. A different one is asked about again."""

    @classmethod
    def posted(cls, post: QueryDict) -> "SignatureForm":
        return cls(
            kind=str(post.get("kind", "")),
            typed_name=str(post.get("typed_name", "")),
            strokes=str(post.get("strokes", "")),
            confirmed_name=str(post.get("asked_name", "")) if post.get("is_my_name") == "yes" else "",
        )

    @classmethod
    def kept(cls, kind: str, text: str) -> "SignatureForm":
        if kind == SignatureKind.DRAWN:
            return cls(kind=kind, strokes=text)
        return cls(typed_name=text)

    @property
    def text(self) -> str:
        return self.strokes if self.kind == SignatureKind.DRAWN else self.typed_name

    @property
    def is_name_confirmed(self) -> bool:
        return bool(self.typed_name) and self.confirmed_name == self.typed_name

    @property
    def is_drawn(self) -> bool:
        return self.kind == SignatureKind.DRAWN
