"""The tables of newer databases of shark, whose rows belong to entities of any kind.

They are read as those of older ones, which were for tasks alone (or for features, or epics): a
database on its way from one to the other has the same row in both, and it counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from taskdb.exchange.jsonvalues import JsonObject
from taskdb.exchange.report import Findings
from taskdb.exchange.rows import storable
from taskdb.exchange.shaping import CLOSED
from taskdb.exchange.tables import Tables
from taskdb.exchange.words import status_of

__all__ = ["ENTITY_RELATIONSHIPS", "TASK", "EntityTables"]

TASK: Final = "task"
ENTITY_RELATIONSHIPS: Final = "entity_relationships"
# A row's number in its own table says nothing.
NUMBER: Final = "id"


@dataclass(slots=True, frozen=True)
class _Newer:
    """A newer table: the kinds of entities, by column, whose rows an older table has.

    `names` are the older names of its columns.
    """

    table: str
    kinds: Mapping[str, str]
    names: Mapping[str, str]

    def holds(self, values: Mapping[str, Any]) -> bool:
        return all(values.get(column) == kind for column, kind in self.kinds.items())

    def older(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row as the older table has it."""
        return {
            self.names.get(name, name): value
            for name, value in values.items()
            if name not in self.kinds
        }


def _of(kind: str, table: str, **names: str) -> _Newer:
    return _Newer(table, {"entity_type": kind}, {"entity_id": f"{kind}_id", **names})


# By the names of the older tables.
NEWER: Final = {
    "task_notes": _of(TASK, "entity_notes"),
    "task_history": _of(
        TASK,
        "entity_history",
        from_status="old_status",
        to_status="new_status",
        changed_by="agent",
        changed_at="timestamp",
    ),
    "task_documents": _of(TASK, "entity_documents"),
    "feature_documents": _of("feature", "entity_documents"),
    "epic_documents": _of("epic", "entity_documents"),
    "task_relationships": _Newer(
        ENTITY_RELATIONSHIPS,
        {"from_entity_type": TASK, "to_entity_type": TASK},
        {"from_entity_id": "from_task_id", "to_entity_id": "to_task_id"},
    ),
}


class EntityTables:
    """Tables whose older ones have the rows of the newer ones, too, and these only the rest."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        # The rows of each kind of entities, by their numbers.
        self._entities: dict[str, dict[Any, JsonObject]] = {}

    def names(self) -> list[str]:
        """Return the names of the tables, in order."""
        return self.tables.names()

    def rows(self, table: str, findings: Findings) -> Iterator[tuple[JsonObject, str]]:
        """Yield the rows of a table, none if it is not there."""
        same = [newer for newer in NEWER.values() if newer.table == table]
        newer = NEWER.get(table)
        met: set[str] = set()
        for values, where in self.tables.rows(table, findings):
            if not any(each.holds(values) for each in same):
                if newer:
                    met.add(_content(values))
                yield values, where
        for values, where in self.tables.rows(newer.table, findings) if newer else ():
            if newer and newer.holds(values):
                older = newer.older(values)
                if _content(older) not in met:
                    yield JsonObject(older, values.line), where

    def entity(self, kind: str, number: int | str | None) -> tuple[str, bool]:
        """Return the name of an entity that is no task, and whether it is over."""
        if kind not in self._entities:
            table = next((name for name in (f"{kind}s", kind) if name in self.names()), None)
            rows = self.tables.rows(table, Findings()) if table else ()
            self._entities[kind] = {values.get(NUMBER): values for values, _ in rows}
        values: dict[str, Any] = self._entities[kind].get(number) or {}
        word = values.get("status")
        over = isinstance(word, str) and status_of(word) in CLOSED
        return storable(f"{kind} {values.get('key') or number}"), over


def _content(values: Mapping[str, Any]) -> str:
    return repr(sorted((k, repr(v)) for k, v in values.items() if k != NUMBER and v is not None))
