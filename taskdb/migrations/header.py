"""The head of a migration: the ``--`` lines at its top, and what they promise.

::

    -- 0007: payloads must be objects.
    -- Locks: access exclusive on tasks, for milliseconds (not valid: no scan here).
    -- Check: select count(*) from tasks where jsonb_typeof(context) <> 'object';  -- expect 0
    -- breaking: 1.4.0
    -- transactional: false

docs/migrations.md has the grammar. The last two are rare. Other lines are prose; a line that
is indented goes on with the one above.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from taskdb.migrations.scripts import place

__all__ = [
    "LOCK_MODES",
    "Head",
    "Lock",
    "Problem",
    "Problems",
    "directive",
    "head_length",
    "is_transactional",
    "read_head",
    "read_loosely",
]

LOCK_MODES = (
    "access share",
    "row share",
    "row exclusive",
    "share update exclusive",
    "share",
    "share row exclusive",
    "exclusive",
    "access exclusive",
)
"""Table lock modes, weakest first."""

_TITLE = re.compile(r"(\d{4}): *(\S.*)")
_FIELD = re.compile(r"(Locks|Check|breaking|transactional|depends): *(.*)")
_ANY_DIRECTIVE = re.compile(r"\s*--\s*(breaking|transactional|depends)\s*:", re.IGNORECASE)
_NO_LOCKS = "none beyond new objects"
_RELATION = r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?"
_LOCK = re.compile(
    rf"({'|'.join(sorted(LOCK_MODES, key=len, reverse=True))})"
    rf" on ({_RELATION}(?:(?:, | and ){_RELATION})*), for \S.*"
)
_REMARK = re.compile(r"\s*\([^()]*\)")
_RELEASE = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file: where, what, and what to do about it."""

    path: Path
    line: int
    message: str
    remedy: str

    @property
    def where(self) -> str:
        """The place as ``file:line``."""
        return place(self.path, self.line)

    def __str__(self) -> str:
        return f"{self.where}: {self.message}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Lock:
    """A table lock that a migration says it takes."""

    mode: str
    relation: str


@dataclass(frozen=True, slots=True)
class Head:
    """Contents of the ``--`` lines at the top of a migration."""

    title: str
    locks: tuple[Lock, ...]
    check: str
    breaking: str | None
    transactional: bool


@dataclass(slots=True)
class Problems:
    """The problems of one file, gathered while it is read."""

    path: Path
    found: list[Problem] = field(default_factory=list[Problem])

    def add(self, line: int, message: str, remedy: str) -> None:
        """Take note of a problem."""
        self.found.append(Problem(self.path, line, message, remedy))


def directive(line: str) -> str | None:
    """The directive that a line holds, in whatever case: breaking, transactional, depends."""
    match = _ANY_DIRECTIVE.match(line)
    return match[1] if match else None


def head_length(lines: list[str]) -> int:
    """Return the number of lines at the top that are the head."""
    for number, line in enumerate(lines):
        if not line.startswith("--"):
            return number
    return len(lines)


def read_head(text: str, number: str, findings: Problems) -> Head:
    """Read the head of migration *number*; what is wrong with it goes to *findings*."""
    lines = text.split("\n")
    lines = lines[: head_length(lines)]
    title = _TITLE.fullmatch(_comment(lines[0])) if lines else None
    if title is None or title[1] != number:
        findings.add(
            1, f"the head is missing or does not begin with {number}", f"begin: -- {number}: title."
        )
    fields = _head_fields(lines, findings)
    for name in ("Locks", "Check"):
        if name not in fields:
            findings.add(
                1, f"the head has no line '{name}:'", "docs/migrations.md shows a whole head"
            )
    clauses, line = fields.get("Locks", ("", 0))
    locks = _read_locks(clauses, line, findings) if clauses else ()
    return Head(
        title=title[2].rstrip(".") if title else "",
        locks=locks,
        check=fields["Check"][0] if "Check" in fields else "",
        breaking=_read_breaking(fields, findings),
        transactional=_read_transactional(fields, findings),
    )


def read_loosely(text: str, findings: Problems) -> Head | None:
    """Read the head of another project's migration: only what it says is held to the rules.

    Returns None where it names no locks it takes.
    """
    lines = text.split("\n")
    fields = _head_fields(lines[: head_length(lines)], findings)
    if "Locks" not in fields:
        return None
    clauses, line = fields["Locks"]
    check, _ = fields.get("Check", ("", 0))
    return Head("", _read_locks(clauses, line, findings), check, None, is_transactional(text))


def is_transactional(text: str) -> bool:
    """Return whether a file may run in a transaction; yoyo's directive says when it may not."""
    lines = text.split("\n")
    return not any(
        re.fullmatch(r"--\s*transactional\s*:\s*false\s*", line, re.IGNORECASE)
        for line in lines[: head_length(lines)]
    )


def _comment(line: str) -> str:
    return line.removeprefix("--").strip()


def _head_fields(lines: list[str], findings: Problems) -> dict[str, tuple[str, int]]:
    """The head's ``Name: value`` lines: value, with lines indented under it, and line number."""
    fields: dict[str, tuple[str, int]] = {}
    current: str | None = None
    for number, line in enumerate(lines, start=1):
        if current is not None and line.startswith("--  "):
            value, first = fields[current]
            fields[current] = (f"{value} {_comment(line)}", first)
            continue
        match = _FIELD.fullmatch(_comment(line))
        current = match[1] if match else None
        written = directive(line)
        if written and not match:
            findings.add(number, f"directive {written!r}", f"write {written.lower()}:")
        if match is None:
            continue
        if match[1] in fields:
            findings.add(number, f"a second line '{match[1]}:'", "join the two")
        if not match[2]:
            findings.add(number, f"'{match[1]}:' is empty", "docs/migrations.md describes it")
        fields[match[1]] = (match[2], number)
    return fields


def _read_locks(value: str, line: int, findings: Problems) -> tuple[Lock, ...]:
    text = value
    while _REMARK.search(text):
        text = _REMARK.sub("", text)
    text = text.strip().rstrip(".")
    if text == _NO_LOCKS:
        return ()
    locks: list[Lock] = []
    for clause in text.split(";"):
        match = _LOCK.fullmatch(clause.strip())
        if match is None:
            findings.add(
                line,
                f"'{clause.strip()}' names no lock",
                f"write '{_NO_LOCKS}.' or '<mode> on <table>, for <how long>'; modes: "
                + ", ".join(LOCK_MODES),
            )
            continue
        locks += [Lock(match[1], name) for name in re.split(r", | and ", match[2])]
    return tuple(locks)


def _read_breaking(fields: dict[str, tuple[str, int]], findings: Problems) -> str | None:
    if "breaking" not in fields:
        return None
    value, line = fields["breaking"]
    match = _RELEASE.match(value)
    if match is None or value[match.end() : match.end() + 1] not in ("", " ", ",", "."):
        findings.add(
            line, f"'{value}' is not a release", "write the oldest package that works, as 1.4.0"
        )
        return None
    return match[0]


def _read_transactional(fields: dict[str, tuple[str, int]], findings: Problems) -> bool:
    if "depends" in fields:
        findings.add(
            fields["depends"][1], "depends: is not used", "a track runs in the order of its numbers"
        )
    value, line = fields.get("transactional", ("true", 1))
    if value not in ("true", "false"):
        findings.add(line, f"transactional: {value}", "write true or false")
    return value != "false"
