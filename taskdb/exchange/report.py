"""Report of an import: rows taken, changed and refused, one by one, with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from taskdb.errors import ValidationError

__all__ = [
    "STATUS",
    "Action",
    "Change",
    "ChangeKind",
    "Findings",
    "ImportConflictError",
    "ImportFinding",
    "ImportRefusedError",
    "Report",
]

# The message of a refused import lists this many findings; `.report` has all of them.
SHOWN_FINDINGS: Final = 50
STATUS: Final = "status"
# Nouns of findings without a plural of their own.
UNCOUNTED: Final = ("status", "history", "complexity")
# A change shows this many characters of a value.
SHOWN: Final = 40


class Action(StrEnum):
    """Action on a row that could not be taken as it is."""

    CHANGED = "changed"
    REFUSED = "refused"


@dataclass(slots=True, frozen=True)
class ImportFinding:
    """One row, or one field of it, that is not in the database as it is in the file.

    `what` is the kind of row (task, dependency, history, line, ...), `where` its file and line,
    `key` the task, feature or epic it belongs to, as far as it has one. `path` names a cycle:
    each key waits for the next.
    """

    action: Action
    what: str
    where: str
    key: str | None
    reason: str
    path: tuple[str, ...] = ()

    def as_text(self) -> str:
        """Return the finding as one line, beginning with its place as compilers do."""
        subject = f"{self.what} {self.key}" if self.key else self.what
        return f"{self.where}: {self.action} {subject}: {self.reason}"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as a JSON-ready dict; `path` only where there is one."""
        row: dict[str, Any] = {
            "action": self.action.value,
            "what": self.what,
            "where": self.where,
            "key": self.key,
            "reason": self.reason,
        }
        if self.path:
            row["path"] = list(self.path)
        return row


class Findings:
    """Collects findings in the order in which they are met."""

    def __init__(self) -> None:
        self.rows: list[ImportFinding] = []

    def __iter__(self) -> Iterator[ImportFinding]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def changed(self, what: str, where: str, key: str | None, reason: str) -> None:
        """Record a row that was taken otherwise than it stands in the file."""
        self.rows.append(ImportFinding(Action.CHANGED, what, where, key, reason))

    def refused(
        self, what: str, where: str, key: str | None, reason: str, path: Iterable[str] = ()
    ) -> None:
        """Record a row that was not taken."""
        self.rows.append(ImportFinding(Action.REFUSED, what, where, key, reason, tuple(path)))


class ChangeKind(StrEnum):
    """Kind of difference between a task and an earlier import of its file."""

    CHANGED = "changed"
    BOTH = "both"
    GONE = "gone"


@dataclass(slots=True, frozen=True)
class Change:
    """A field of a task that the file says otherwise than the last time.

    `before` is what the file had then, `now` what it has now, `here` what the database has. Of
    a task that is `GONE` from the file the field is its status.
    """

    key: str
    field: str
    kind: ChangeKind
    before: Any
    now: Any
    here: Any

    def as_text(self) -> str:
        """Return the change as one line."""
        before, now, here = (
            value if self.field == STATUS else _shown(value)
            for value in (self.before, self.now, self.here)
        )
        if self.kind is ChangeKind.GONE:
            return f"gone {self.key}: it is {here} here"
        if self.kind is ChangeKind.BOTH:
            sides = f"{before} before, {now} in the file, {here} here"
            return f"both {self.key} {self.field}: {sides}"
        if self.before is None and self.now is None:
            return f"changed {self.key} {self.field}"
        return f"changed {self.key} {self.field}: {before} -> {now}"

    def as_dict(self) -> dict[str, Any]:
        """Return the change as a JSON-ready dict."""
        return {
            "key": self.key,
            "field": self.field,
            "kind": self.kind.value,
            "before": self.before,
            "now": self.now,
            "here": self.here,
        }


@dataclass(slots=True)
class Report:
    """Report of `import_plan`.

    `taken` counts the rows that are now in the database, by kind; `unchanged` those that an
    earlier import of the same file had brought; `kept` the fields without a column of their
    own, by name, that went to `metadata`. `renamed` are the new keys of different tasks under
    one id, with that id and the place. `remarks` are sentences about the file as a whole.
    `changes` are the fields that the file says otherwise than the last time, and the tasks that
    are gone from it; `updated` counts what of that was written.
    """

    kind: str
    path: str
    taken: dict[str, int] = field(default_factory=dict[str, int])
    unchanged: dict[str, int] = field(default_factory=dict[str, int])
    kept: dict[str, int] = field(default_factory=dict[str, int])
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    remarks: list[str] = field(default_factory=list[str])
    findings: list[ImportFinding] = field(default_factory=list[ImportFinding])
    updated: dict[str, int] = field(default_factory=dict[str, int])
    changes: list[Change] = field(default_factory=list[Change])

    @property
    def changed(self) -> list[ImportFinding]:
        """The rows that were taken otherwise than they stand in the file."""
        return [finding for finding in self.findings if finding.action is Action.CHANGED]

    @property
    def refused(self) -> list[ImportFinding]:
        """The rows that were not taken."""
        return [finding for finding in self.findings if finding.action is Action.REFUSED]

    def as_text(self) -> str:
        """Return the report for people: the counts, then a line for each finding."""
        lines = [f"{self.kind} plan {self.path}", f"  taken      {_counts(self.taken)}"]
        if any(self.unchanged.values()):
            lines.append(f"  unchanged  {_counts(self.unchanged)}")
        if any(self.updated.values()):
            lines.append(f"  updated    {_counts(self.updated)}")
        if self.kept:
            fields = (f"{count} {name}" for name, count in self.kept.items())
            lines.append(f"  metadata   {', '.join(fields)}")
        lines += [f"  renamed    {key}: {raw}" for key, raw in self.renamed.items()]
        lines += [f"  note       {remark}" for remark in self.remarks]
        lines.append(f"  changed    {_by_what(self.changed)}")
        lines.append(f"  refused    {_by_what(self.refused)}")
        lines += [change.as_text() for change in self.changes]
        lines += [finding.as_text() for finding in self.findings]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a JSON-ready dict."""
        return {
            "kind": self.kind,
            "path": self.path,
            "taken": self.taken,
            "unchanged": self.unchanged,
            "kept": self.kept,
            "renamed": self.renamed,
            "remarks": self.remarks,
            "updated": self.updated,
            "changes": [change.as_dict() for change in self.changes],
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def as_json(self) -> str:
        """Return the report as JSON text."""
        return orjson.dumps(self.as_dict(), option=orjson.OPT_INDENT_2).decode()


class ImportRefusedError(ValidationError):
    """A strict import met rows that it would have had to change or refuse; nothing was imported.

    `report` has every finding; the message lists the first of them.
    """

    def __init__(self, report: Report) -> None:
        listed = [finding.as_text() for finding in report.findings[:SHOWN_FINDINGS]]
        more = len(report.findings) - len(listed)
        if more:
            listed.append(f"and {more} more")
        super().__init__(
            "plan",
            f"holds {len(report.changed)} rows to change and {len(report.refused)} to refuse, "
            "and a strict import takes all or nothing:\n" + "\n".join(listed),
            where=report.path,
            hint="Repair the file, or import without strict",
        )
        self.report = report


class ImportConflictError(ImportRefusedError):
    """Fields changed in the file and in the database since the last import; nothing was written.

    `report` has every change; the message lists the first of them.
    """

    def __init__(self, report: Report) -> None:
        conflicts = [change for change in report.changes if change.kind is ChangeKind.BOTH]
        listed = "\n".join(change.as_text() for change in conflicts[:SHOWN_FINDINGS])
        ValidationError.__init__(
            self,
            "plan",
            f"and the database changed {len(conflicts)} of the same fields:\n{listed}",
            where=report.path,
            hint="Say whose values count: --on-conflict theirs, or ours",
        )
        self.report = report


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _counts(counts: dict[str, int]) -> str:
    """Render counts as ``385 tasks, 1 dependency``."""
    return ", ".join(f"{count} {_noun(name, count)}" for name, count in counts.items()) or "nothing"


def _noun(name: str, count: int) -> str:
    if count != 1 or name in UNCOUNTED:
        return name
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def _by_what(findings: list[ImportFinding]) -> str:
    counts = Counter(finding.what for finding in findings)
    if not counts:
        return "none"
    return f"{len(findings)}: " + _counts({_plural(what): n for what, n in counts.items()})


def _plural(what: str) -> str:
    if what in UNCOUNTED:
        return what
    return f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
