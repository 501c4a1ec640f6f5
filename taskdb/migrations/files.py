"""A folder of migrations, read and refused before a statement of it runs.

A track is one folder: ``NNNN.verb-object.sql``, each with its
``NNNN.verb-object.rollback.sql``. A file begins with a head of ``--`` lines
(docs/migrations.md has its grammar), sets ``lock_timeout`` first, and leaves
transaction control to the runner. yoyo accepts a good deal that then goes wrong
without a word: a directive below the first statement, a nested comment, a
``commit`` half-way. Each is an error here, with file and line.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from taskdb.errors import MigrationError
from taskdb.migrations.cutting import ScriptStatement, split
from taskdb.migrations.header import Head, Problem, Problems, directive, head_length, read_head
from taskdb.migrations.scripts import place
from taskdb.query._lexer import Kind, LexicalError, tokenize

_FILE_NAME = re.compile(r"(\d{4})\.[a-z0-9]+(-[a-z0-9]+)*\.sql")
_TRANSACTION_CONTROL = re.compile(
    r"(begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b",
    re.IGNORECASE,
)
_LOCK_TIMEOUT = re.compile(
    r"set\s+(local\s+)?lock_timeout\s*(?:=|to)\s*'[1-9]\d*\s*(?:ms|s|min)'\s*;",
    re.IGNORECASE,
)


_IDLE = {Kind.WHITESPACE, Kind.LINE_COMMENT, Kind.BLOCK_COMMENT}


@dataclass(frozen=True, slots=True)
class Script:
    """A file of statements."""

    path: Path
    text: str
    statements: tuple[ScriptStatement, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a track: its file, its rollback, and its head."""

    id: str
    track: str
    head: Head
    up: Script
    down: Script

    @property
    def where(self) -> str:
        """Its first line, as ``file:1``."""
        return place(self.up.path, 1)

    @property
    def number(self) -> str:
        """The four digits that order it."""
        return self.id[:4]

    @property
    def checksum(self) -> str:
        """SHA-256 of what the file does: its tokens, and the directives of its head.

        Comments and white space outside function bodies do not count: correcting one is no edit.
        """
        return _checksum(self.up.text, f"{self.head.breaking} {self.head.transactional}")


# A run asks several times, and the first migration is long.
@lru_cache(maxsize=64)
def _checksum(text: str, directives: str) -> str:
    tokens = (text[at:end] for kind, at, end in tokenize(text) if kind not in _IDLE)
    return hashlib.sha256("\n".join((directives, *tokens)).encode()).hexdigest()


def read_track(folder: Path) -> list[Migration]:
    """All migrations of a folder, in order.

    Raises `MigrationError` with every problem of every file, if there is one.
    """
    migrations, problems = _read(folder)
    if problems:
        raise _error(problems)
    return migrations


def lint(folder: Path) -> list[Problem]:
    """Everything that is wrong with the files of a folder; empty if nothing is."""
    return _read(folder)[1]


def _error(problems: list[Problem]) -> MigrationError:
    first = problems[0]
    if len(problems) == 1:
        hint = first.remedy[0].upper() + first.remedy[1:]
        return MigrationError(first.message, where=first.where, hint=hint)
    # The command line prints an error as one line: the numbers part them there.
    lines = "\n".join(f"({number}) {problem}" for number, problem in enumerate(problems, start=1))
    return MigrationError(f"{len(problems)} problems in migrations:\n{lines}\n", where=first.where)


def _is_rollback(path: Path) -> bool:
    return path.name.endswith(".rollback.sql")


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.suffix in {".sql", ".py"} and path.is_file()
    )


def _read(folder: Path) -> tuple[list[Migration], list[Problem]]:
    files = _files(folder)
    if not files:
        remedy = "check the path; a track has at least one file NNNN.verb-object.sql"
        return [], [Problem(folder, 1, "no migrations in this folder", remedy)]
    problems = _misnamed(files) + _without_partner(files)
    migrations: list[Migration] = []
    for path in files:
        if _is_rollback(path) or not _FILE_NAME.fullmatch(path.name):
            continue
        migration, found = _read_migration(path)
        problems += found
        if migration is not None:
            migrations.append(migration)
    return migrations, sorted(problems, key=lambda problem: (problem.path, problem.line))


def _misnamed(files: list[Path]) -> list[Problem]:
    problems: list[Problem] = []
    numbers: dict[str, Path] = {}
    for path in files:
        match = _FILE_NAME.fullmatch(path.name.replace(".rollback.sql", ".sql"))
        if match is None:
            remedy = "name it NNNN.verb-object.sql, or take it out of the folder"
            problems.append(Problem(path, 1, "not the name of a migration", remedy))
        elif match[1] == "0000":
            problems.append(Problem(path, 1, "0000 means before the first", "begin with 0001"))
        elif not _is_rollback(path):
            first = numbers.setdefault(match[1], path)
            if first is not path:
                message = f"number {match[1]} is taken by {first.name}"
                problems.append(Problem(path, 1, message, "give it the next free number"))
    return problems


def _without_partner(files: list[Path]) -> list[Problem]:
    names = {path.name for path in files}
    problems: list[Problem] = []
    for path in files:
        if path.suffix != ".sql":
            continue
        if _is_rollback(path):
            partner = path.name.replace(".rollback.sql", ".sql")
            if partner not in names:
                message = f"a rollback without its migration {partner}"
                problems.append(Problem(path, 1, message, "remove it or restore the migration"))
        elif _rollback_of(path).name not in names:
            message = f"no rollback: {_rollback_of(path).name} is missing"
            problems.append(Problem(path, 1, message, "write the file that undoes this one"))
    return problems


def _rollback_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".sql") + ".rollback.sql")


def _read_migration(path: Path) -> tuple[Migration | None, list[Problem]]:
    findings = Problems(path)
    up = _read_script(path, findings)
    head = read_head(up.text, path.name[:4], findings)
    _lint_lock_timeout(up, head.transactional, findings)
    if not up.statements:
        findings.add(1, "no statement", "a migration changes something")
    rollback = _rollback_of(path)
    if not rollback.is_file():
        return None, findings.found
    back = Problems(rollback)
    down = _read_script(rollback, back)
    _lint_rollback(down, path.name[:4], head.transactional, back)
    migration_id = path.name.removesuffix(".sql")
    migration = Migration(migration_id, path.parent.name, head, up, down)
    return migration, findings.found + back.found


def _read_script(path: Path, findings: Problems) -> Script:
    raw = path.read_bytes()
    try:
        text = raw.decode()
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        findings.add(line, "not UTF-8", "save the file as UTF-8")
        return Script(path, "", ())
    if text.startswith("\ufeff"):
        findings.add(1, "begins with a byte order mark", "save the file as UTF-8 without BOM")
        text = text[1:]
    text = text.replace("\r\n", "\n")
    try:
        script = Script(path, text, split(text))
        _lint_comments(text, findings)
    except LexicalError as exc:
        findings.add(text.count("\n", 0, exc.position) + 1, str(exc), exc.remedy)
        return Script(path, text, ())
    _lint_transaction_control(script, findings)
    _lint_late_directives(text, findings)
    return script


def _lint_comments(text: str, findings: Problems) -> None:
    if "/*" not in text:
        return
    for token in tokenize(text):
        nested = text.find("/*", token.start + 2, token.end)
        if token.kind is Kind.BLOCK_COMMENT and nested >= 0:
            findings.add(
                text.count("\n", 0, nested) + 1,
                "a comment within a comment",
                "use -- lines; yoyo's own command line cuts nested comments in two",
            )


def _lint_transaction_control(script: Script, findings: Problems) -> None:
    for statement in script.statements:
        match = _TRANSACTION_CONTROL.match(statement.text)
        if match:
            findings.add(
                statement.line,
                f"{match[1].lower()}: a migration may not control its transaction",
                "remove it; the runner makes the file one transaction",
            )


def _lint_late_directives(text: str, findings: Problems) -> None:
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        written = directive(line)
        if written and number > head_length(lines):
            findings.add(
                number,
                f"'{written}:' is below the head, where it is not read",
                "move it up into the first lines",
            )


def _lint_lock_timeout(script: Script, transactional: bool, findings: Problems) -> None:
    if not script.statements:
        return
    first = script.statements[0]
    match = _LOCK_TIMEOUT.fullmatch(first.text)
    wanted = "set local lock_timeout = '2s';" if transactional else "set lock_timeout = '2s';"
    if match is None:
        findings.add(first.line, "lock_timeout is not set first", f"begin with: {wanted}")
    elif bool(match[1]) != transactional:
        findings.add(first.line, "lock_timeout is not set as this file needs it", f"use: {wanted}")


def _lint_rollback(script: Script, number: str, transactional: bool, findings: Problems) -> None:
    if not script.text.startswith(f"-- {number}"):
        findings.add(
            1, f"does not begin with '-- {number}'", f"begin: -- {number} back: what is undone."
        )
    lines = script.text.split("\n")
    for line_number, line in enumerate(lines[: head_length(lines)], start=1):
        if directive(line):
            findings.add(
                line_number,
                "a directive in a rollback has no effect",
                "the migration's own head rules both ways",
            )
    _lint_lock_timeout(script, transactional, findings)
    if not transactional:
        _lint_repeatable(script, findings)


def _lint_repeatable(script: Script, findings: Problems) -> None:
    """Check that the rollback can clean up where no transaction does after a failure."""
    for statement in script.statements[1:]:
        if "if exists" not in " ".join(statement.text.lower().split()):
            findings.add(
                statement.line,
                "without a transaction a rollback must be repeatable",
                "write 'if exists'; the runner also runs it before each attempt",
            )


def new_files(folder: Path, name: str) -> tuple[Path, Path]:
    """Write the next migration of a folder and its rollback, with heads to fill in.

    *name* is ``verb-object``, lowercase. Returns the two paths. Raises
    `MigrationError` if the name does not fit.
    """
    taken = [int(path.name[:4]) for path in _files(folder) if path.name[:4].isdigit()]
    number = f"{max(taken, default=0) + 1:04d}"
    path = folder / f"{number}.{name}.sql"
    if not _FILE_NAME.fullmatch(path.name):
        raise MigrationError(
            f"{name!r} is not a migration's name",
            hint="Take a verb and an object, lowercase, joined by hyphens: add-due-date",
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write_new(path, _TEMPLATE.format(number=number, title=name.replace("-", " ")))
    _write_new(_rollback_of(path), _ROLLBACK_TEMPLATE.format(number=number))
    return path, _rollback_of(path)


def _write_new(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as file:
        file.write(text)


_TEMPLATE = """\
-- {number}: {title}.
-- Locks:
-- Check:
set local lock_timeout = '2s';
"""

_ROLLBACK_TEMPLATE = """\
-- {number} back:
set local lock_timeout = '2s';
"""
