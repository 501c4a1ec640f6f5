"""Imports other trackers' plans: a reader for each kind of file, and one loader for all of them.

::

    report = import_plan(conn, "beads", "project/.beads/issues.jsonl")
    print(report.as_text())

Nothing is dropped silently: what an importer changed or refused is a finding of the report,
with file, line and reason. See docs/importing.md.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from taskdb.errors import ValidationError
from taskdb.exchange import (
    backlogmd,
    beads,
    github,
    shark,
    sharkplan,
    taskmaster,
    trackertables,
)
from taskdb.exchange.again import OnConflict
from taskdb.exchange.detection import KNOWN, detect, kind_at
from taskdb.exchange.files import STDIN, TooLargeError
from taskdb.exchange.graph import normalize
from taskdb.exchange.lives import report_lives
from taskdb.exchange.load import LoadOptions, load
from taskdb.exchange.options import EDGE_KINDS, PlanPath, ReadOptions
from taskdb.exchange.plan import Plan
from taskdb.exchange.progress import Progress, Stage, silent
from taskdb.exchange.relations import check_edges, take_relations
from taskdb.exchange.report import (
    Action,
    Change,
    ChangeKind,
    ImportConflictError,
    ImportFinding,
    ImportRefusedError,
    Report,
)
from taskdb.exchange.rows import Row, is_text, key_fault
from taskdb.queries.fields import AnyText, Name
from taskdb.query import checked

__all__ = [
    "EDGE_KINDS",
    "KINDS",
    "Action",
    "Change",
    "ChangeKind",
    "ImportConflictError",
    "ImportFinding",
    "ImportRefusedError",
    "OnConflict",
    "Progress",
    "ReadOptions",
    "Report",
    "Stage",
    "detect",
    "import_plan",
    "read_plan",
]


class _Reader(Protocol):
    def __call__(self, path: Path, options: ReadOptions) -> Plan: ...


READERS: Final[dict[str, _Reader]] = {
    shark.KIND: shark.read,
    sharkplan.KIND: sharkplan.read,
    taskmaster.KIND: taskmaster.read,
    beads.KIND: beads.read,
    backlogmd.KIND: backlogmd.read,
    github.KIND: github.read,
    **trackertables.READERS,
}
KINDS: Final = tuple(READERS)


@checked
def import_plan(
    conn: psycopg.Connection[Any],
    kind: Name,
    path: PlanPath,
    *,
    reset: bool = False,
    strict: bool = False,
    dry_run: bool = False,
    on_conflict: OnConflict = OnConflict.STOP,
    prune: bool = False,
    prefix: AnyText = "",
    options: ReadOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Import the plan at *path*, of *kind* (one of `KINDS`), and report what became of each row.

    The import is one transaction, or one savepoint of the caller's. *path* may be ``-`` for
    standard input. *reset* takes every task as pending, without history and claims, except the
    deleted and cancelled ones. *strict* takes all or nothing. *prefix* goes before the keys of
    tasks, so that two files' keys do not meet; it is short for the same of *options*, which say
    how the file is read. *progress* is called, stage by stage, with how far it is.

    A task that an earlier import of the same file made gets what the file says otherwise since
    then. What changed in the file and here is in conflict: *on_conflict* says whose value counts.
    The status of a task that an agent is at work on is left alone. Tasks that are gone from the
    file are named, and with *prune* cancelled. *dry_run* reports all that, and writes nothing. A
    task that something else made is refused.

    Raises ValidationError if the file can't be read (naming line and column) or *kind* is
    unknown, and its subclasses `ImportRefusedError` if *strict* met anything to change or refuse,
    and `ImportConflictError` if something changed on both sides.
    """
    plan = _read(kind, path, prefix, options)
    if reset:
        plan.reset()
    else:
        report_lives(plan)
    how = LoadOptions(strict, dry_run, on_conflict, prune)
    return load(conn, plan, how, progress or silent)


@checked
def read_plan(
    kind: Name, path: PlanPath, *, prefix: AnyText = "", options: ReadOptions | None = None
) -> Plan:
    """Return what the file at *path* says, its edges normalized, without any database.

    Raises ValidationError as `import_plan` does.
    """
    plan = _read(kind, path, prefix, options)
    normalize(plan)
    return plan


def _read(kind: str, path: str | Path, prefix: str, options: ReadOptions | None) -> Plan:
    if kind not in READERS:
        raise ValidationError("kind", f"must be one of {', '.join(KINDS)}, and not {kind!r}")
    options = options or ReadOptions()
    options = replace(options, prefix=prefix or options.prefix)
    if options.prefix and key_fault(options.prefix):
        raise ValidationError(
            "prefix", "must be at most 100 characters, none of them a control character"
        )
    check_edges(options.edges)
    place = Path(path)
    if place != STDIN and is_text(str(place)):
        place = place.resolve()
    if not is_text(str(place)):
        raise ValidationError("path", "must be UTF-8", where=repr(place), hint="Rename the file")
    try:
        plan = READERS[kind](place, options)
    except TooLargeError:
        raise
    except ValidationError as error:
        found = kind_at(place)
        if found is None and place != STDIN and not place.is_file():
            hint = KNOWN
        elif found in (None, kind):
            raise
        else:
            hint = f"{error.hint or 'Name another path'}; or is it a plan of the kind {found}?"
        raise ValidationError(error.field, error.rule, where=error.where, hint=hint) from error
    take_relations(plan, options.edges)
    plan.about = Row(plan.about, place.name, "field", plan.findings).rest()
    return plan
