"""List columns, and read-only tables on a record's page."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model
from django.utils.text import capfirst

from core.actors import ActorField
from core.admin.unfold_imports import skin_display
from core.staff_formats import name_actors

Method = TypeVar("Method", bound=Callable[..., str])


def display(
    *, description: str, ordering: str | None = None, label: dict[str, str] | None = None
) -> Callable[[Method], Method]:
    """Describe a computed column. `label` maps its texts to colors."""
    decorate: Callable[[Method], Method] = skin_display(description=description, ordering=ordering, label=label)
    return decorate


@dataclass(frozen=True)
class Cell:
    """One table cell. `tone` repeats in color what the text says."""

    text: str
    url: str = ""
    tone: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A read-only table on a record's page. `more_url` links to the full list if this one is cut off."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "Nothing yet."
    more_url: str = ""
    more_label: str = "Show all"
    note: str = ""
    note_tone: str = ""
    shows: type[Model] | None = None
    """The model whose records the table lists. Staff who may not view those records do not see the table."""

    @property
    def named_rows(self) -> Iterator[list[tuple[str, Cell]]]:
        """Yield each row as (column, cell) pairs, because narrow screens show the column next to the cell."""
        for row in self.rows:
            yield list(zip(self.columns, row, strict=True))


class ActorColumn:
    """Show an actor field as a name instead of `staff:3`."""

    def __init__(self, actor_field: ActorField) -> None:
        self.__name__ = actor_field.name
        self.short_description = capfirst(actor_field.verbose_name)
        self._names: dict[str, str] = {}

    def look_up(self, records: Iterable[Model]) -> None:
        """Fetch the names for a whole list with one query."""
        self._names |= name_actors(filter(None, map(self._reference, records)))

    def __call__(self, record: Model) -> str:
        reference = self._reference(record)
        if reference and reference not in self._names:
            self.look_up([record])
        return self._names[reference] if reference else "—"

    def _reference(self, record: Model) -> str:
        return str(getattr(record, self.__name__))
