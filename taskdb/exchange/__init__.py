"""Imports other trackers' plans: a reader for each kind of file, and one loader for all of them.

::

    report = import_plan(conn, "beads", "project/.beads/issues.jsonl")
    print(report.as_text())

Nothing is dropped silently: what an importer changed or refused is a finding of the report,
with file, line and reason. See docs/importing.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from taskdb.errors import ValidationError
from taskdb.exchange import beads, shark, sharkplan, taskmaster
from taskdb.exchange.graph import settle
from taskdb.exchange.load import load
from taskdb.exchange.plan import Plan
from taskdb.exchange.progress import Progress, Stage, silent
from taskdb.exchange.report import Action, Finding, ImportRefusedError, Report
from taskdb.exchange.rows import is_text, key_fault

__all__ = [
    "KINDS",
    "Action",
    "Finding",
    "ImportRefusedError",
    "Progress",
    "Report",
    "Stage",
    "detect",
    "import_plan",
    "read_plan",
]


class _Reader(Protocol):
    def __call__(self, path: Path, *, prefix: str = "") -> Plan: ...


READERS: Final[dict[str, _Reader]] = {
    shark.KIND: shark.read,
    sharkplan.KIND: sharkplan.read,
    taskmaster.KIND: taskmaster.read,
    beads.KIND: beads.read,
}
KINDS: Final = tuple(READERS)


def import_plan(
    conn: psycopg.Connection[Any],
    kind: str,
    path: str | Path,
    *,
    reset: bool = False,
    strict: bool = False,
    prefix: str = "",
    progress: Progress | None = None,
) -> Report:
    """Import the plan at *path*, of *kind* (one of `KINDS`), and report what became of each row.

    The import is one transaction, or one savepoint of the caller's. *reset* takes every task as
    pending, without history and claims. *strict* takes all or nothing. *prefix* goes before the
    keys of tasks, so that two files' keys do not meet. *progress* is told, stage by stage, how
    far it is.

    A task that an earlier import of the same file made is left as it is, so importing twice
    changes nothing; one that something else made is refused.

    Raises ValidationError if the file can't be read (naming line and column) or *kind* is
    unknown, and its subclass `ImportRefusedError` if *strict* met anything to change or refuse.
    """
    plan = _read(kind, path, prefix)
    if reset:
        plan.reset()
    return load(conn, plan, strict=strict, progress=progress or silent)


def read_plan(kind: str, path: str | Path, *, prefix: str = "") -> Plan:
    """Return what the file at *path* says, its edges settled, without any database.

    Raises ValidationError as `import_plan` does.
    """
    plan = _read(kind, path, prefix)
    settle(plan)
    return plan


def _read(kind: str, path: str | Path, prefix: str) -> Plan:
    if kind not in READERS:
        raise ValidationError("kind", f"must be one of {', '.join(KINDS)}, and not {kind!r}")
    if prefix and key_fault(prefix):
        raise ValidationError(
            "prefix", "must be at most 100 characters, none of them a control character"
        )
    place = Path(path).resolve()
    if not is_text(str(place)):
        raise ValidationError("path", "must be UTF-8", where=repr(place), hint="Rename the file")
    return READERS[kind](place, prefix=prefix)


def detect(path: str | Path) -> str:
    """Return the kind of the plan at *path*: a folder of shark, a taskmaster or a beads file.

    Raises ValidationError if it is none of them.
    """
    place = Path(path)
    if place.is_dir():
        if (place / "tasks.jsonl").is_file():
            return shark.KIND
        if sharkplan.is_plan(place):
            return sharkplan.KIND
        rule = "is a folder without tasks.jsonl, and without folders of epics such as E04-login"
    elif not place.exists():
        rule = "does not exist"
    elif place.suffix == ".jsonl":
        return beads.KIND
    elif place.suffix == ".json":
        return taskmaster.KIND
    else:
        rule = "ends in neither .json nor .jsonl"
    raise ValidationError(
        "path",
        rule,
        where=str(place),
        hint="Name a shark folder, a taskmaster tasks.json or a beads issues.jsonl",
    )
