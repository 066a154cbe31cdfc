"""Columns of lists, and read-only tables on the page of a record."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model
from django.utils.text import capfirst

from core.actors import ActorField
from core.admin.skin import skin_display
from core.admin.words import name_actors

Method = TypeVar("Method", bound=Callable[..., str])


def display(
    *, description: str, ordering: str | None = None, label: dict[str, str] | None = None
) -> Callable[[Method], Method]:
    """Name a computed column; `label` gives each of its texts a color of the skin's."""
    decorate: Callable[[Method], Method] = skin_display(description=description, ordering=ordering, label=label)
    return decorate


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its words, where they lead, and a tone that repeats in color what the words say."""

    text: str
    url: str = ""
    tone: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A read-only table on a record's page. `more_url` leads to the whole list when only its beginning is shown."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "Nothing yet."
    more_url: str = ""
    more_label: str = "All of them"
    note: str = ""
    note_tone: str = ""
    shows: type[Model] | None = None
    """Whose records stand in it: who may not open their pages is not shown the table either."""

    @property
    def named_rows(self) -> Iterator[list[tuple[str, Cell]]]:
        """Each cell with its column's name, which a narrow screen shows beside it."""
        for row in self.rows:
            yield list(zip(self.columns, row, strict=True))


class ActorColumn:
    """Show who stands in a field by name, in a list or on a record's page, where `staff:3` would say nothing."""

    def __init__(self, actor_field: ActorField) -> None:
        self.__name__ = actor_field.name
        self.short_description = capfirst(actor_field.verbose_name)
        self._names: dict[str, str] = {}

    def look_up(self, records: Iterable[Model]) -> None:
        """Learn the names of a whole list with one query."""
        self._names |= name_actors(filter(None, map(self._reference, records)))

    def __call__(self, record: Model) -> str:
        reference = self._reference(record)
        if reference and reference not in self._names:
            self.look_up([record])
        return self._names[reference] if reference else "—"

    def _reference(self, record: Model) -> str:
        return str(getattr(record, self.__name__))
