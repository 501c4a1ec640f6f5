"""docs/lifecycle.md: the states of a row, and the triggers of each table, from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from psycopg import Connection

from taskdb.admin.markdown import table
from taskdb.models.admin.pages import Transition, Trigger
from taskdb.queries.admin import pages

__all__ = ["page"]

HEAD = """\
# States and triggers

Made by `make docs` from the catalogue of a database just migrated; a test compares the two.
`docs/status-change.md` follows one change through these triggers.
"""
STATES = """\
## States

An arrow is a row of the table of transitions, which a team may change. Any other change is
refused (`TD001`); of tasks it can be forced.
"""
TRIGGERS = """\
## Triggers

Each stands in `sql/triggers/`, in a file of its own name: `ls sql/triggers/tasks_*` is the firing
order too. Their numbers: 10 refuses, 50 to 59 normalize and apply, all before the row is written;
after it 60 refuses what only the written row shows, 70 refreshes statistics, 90 and above pass on
and record.
"""
# From this number on, columns are counted, not listed.
MANY = 8
COLUMNS = ("trigger", "event", "condition", "what it does")


def page(conn: Connection[Any], workspace: str = "taskdb") -> str:
    """Return the page on *workspace* as Markdown."""
    transitions = pages.transitions(conn)
    triggers = pages.triggers(conn, schemas=[workspace, "shared"])
    return "\n".join([HEAD, STATES, *_diagrams(transitions), TRIGGERS, *_sections(triggers)])


def _diagrams(transitions: Sequence[Transition]) -> Iterator[str]:
    for name, members in groupby(transitions, key=lambda each: each.table_name):
        yield f"### States of {name}\n\n```mermaid\nstateDiagram-v2"
        for each in members:
            yield f"    {each.old_status} --> {each.new_status}: {each.meaning}"
        yield "```\n"


def _sections(triggers: Sequence[Trigger]) -> Iterator[str]:
    for name, members in groupby(triggers, key=lambda each: each.table_name):
        yield f"### Triggers of {name}\n\n{table(COLUMNS, map(_row, members))}"


def _row(trigger: Trigger) -> Sequence[str]:
    event = f"{trigger.timing} {trigger.events}{_columns(trigger)}, each {trigger.level}"
    condition = f"`{trigger.condition}`" if trigger.condition else ""
    return (f"`{trigger.trigger_name}`", event, condition, _sentence(trigger.comment))


def _columns(trigger: Trigger) -> str:
    names = trigger.column_names.split(", ") if trigger.column_names else []
    if len(names) > MANY:
        return f" of any of {len(names)} columns"
    return f" of {trigger.column_names}" if names else ""


def _sentence(comment: str) -> str:
    """Return the first sentence of *comment*."""
    first, stop, _ = comment.partition(". ")
    return first + stop.rstrip()
