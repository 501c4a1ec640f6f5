"""What can go wrong, in one tree, and the one place where PostgreSQL's errors become it.

::

    TaskdbError
    ├── DatabaseError                       anything about the database
    │   ├── IntegrityError                  a constraint refused the change
    │   ├── NotFoundError                   a query that promises a row found none
    │   ├── TooManyRowsError                a query that promises one row found more
    │   ├── CircularDependencyError         the edge or parent would close a loop; has .path
    │   ├── InvalidTransitionError          the table of allowed moves refuses the change of status
    │   ├── ClaimLostError                  the token is stale: another agent took the task over
    │   ├── VersionConflictError            the project changed since it was seen
    │   ├── DatabaseNotFoundError           nothing is configured, or nothing answers there
    │   ├── SchemaVersionMismatchError      database and package do not fit each other
    │   └── QueriesDoNotFitError            the database is not what queries expect; has .misfits
    ├── ValidationError (also ValueError)   an argument breaks a rule; has .field and .rule
    ├── QueryDefinitionError                a .sql file and its stubs disagree; found at import
    └── ScriptError                         a statement of a .sql file failed
        └── MigrationError                  a migration's file is wrong, was edited, or failed

What taskdb does not understand passes through as psycopg's own error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import psycopg

from taskdb.constraints import CONSTRAINTS, Rule, describe, without_shard

__all__ = [
    "CircularDependencyError",
    "ClaimLostError",
    "DatabaseError",
    "DatabaseNotFoundError",
    "IntegrityError",
    "InvalidTransitionError",
    "MigrationError",
    "NotFoundError",
    "QueriesDoNotFitError",
    "QueryDefinitionError",
    "SchemaVersionMismatchError",
    "ScriptError",
    "TaskdbError",
    "TooManyRowsError",
    "ValidationError",
    "VersionConflictError",
    "translate",
]


class TaskdbError(Exception):
    """The root: `except TaskdbError` catches all that taskdb raises of its own.

    `message` is one sentence, `where` a place such as ``sql/queries/tasks.sql:7:15``, `hint`
    what to do. An error that began in the server keeps its `sqlstate` and, where a constraint
    refused, its `constraint`; the server's own error is the `__cause__`.
    """

    # What to do where whoever raises it has no better hint.
    remedy: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        sqlstate: str | None = None,
        constraint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint or self.remedy
        self.sqlstate = sqlstate
        self.constraint = constraint

    def __str__(self) -> str:
        text = f"{self.message} (at {self.where})" if self.where else self.message
        return f"{text}. {self.hint}" if self.hint else text


class DatabaseError(TaskdbError):
    """Anything about the database: what it refused, what it lacks, that it is not there."""


class IntegrityError(DatabaseError):
    """A constraint refused the change: a duplicate, a missing or still needed row.

    `field` and `rule` say which column (or columns, joined by commas) and what must hold; both
    are None where the schema's rule is about the row as a whole and has no name.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        rule: str | None = None,
        where: str | None = None,
        hint: str | None = None,
        sqlstate: str | None = None,
        constraint: str | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint, sqlstate=sqlstate, constraint=constraint)
        self.field = field
        self.rule = rule


class NotFoundError(DatabaseError):
    """A query that promises a row found none."""


class TooManyRowsError(DatabaseError):
    """A query that promises one row, or at most one, found more."""


class CircularDependencyError(DatabaseError):
    """The edge, or the parent, would close a loop. `path` names it: ``("A", "B", "A")``."""

    def __init__(
        self,
        message: str,
        *,
        path: Iterable[str] = (),
        where: str | None = None,
        hint: str | None = None,
        sqlstate: str | None = None,
        constraint: str | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint, sqlstate=sqlstate, constraint=constraint)
        self.path = tuple(path)


class InvalidTransitionError(DatabaseError):
    """`task_status_transitions` has no row for this move; only a forced move overrides it.

    Or `workflow_status_transitions` has none, an execution has ended, a step can't be begun now.
    """


class ClaimLostError(DatabaseError):
    """The token is stale: the lease lapsed and another agent took the task over, or it was ended.

    Nothing was changed. Drop the work and claim again.
    """

    remedy = "The lease lapsed, or the claim was ended: drop the work, and claim again"


class VersionConflictError(DatabaseError):
    """The project changed since its version was seen, or is gone. Nothing was changed.

    Read it again, and decide again.
    """


class DatabaseNotFoundError(DatabaseError):
    """No database is configured, or none answers where it is said to be."""


class SchemaVersionMismatchError(DatabaseError):
    """The database's schema and this package do not fit each other."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """One query that no longer fits its database: its places, and what differs."""

    query: str
    sql_where: str
    python_where: str
    message: str

    def __str__(self) -> str:
        return f"{self.sql_where}: {self.query} ({self.python_where}): {self.message}"


class QueriesDoNotFitError(DatabaseError):
    """The database is not the one that the queries were checked against.

    `misfits` has one entry for each thing that differs; its text lists them, a line each.
    """

    def __init__(self, misfits: Iterable[Misfit], *, hint: str | None = None) -> None:
        self.misfits = tuple(misfits)
        names = list(dict.fromkeys(each.query for each in self.misfits))
        do = "query does" if len(names) == 1 else "queries do"
        lines = "".join(f"\n  {each}" for each in self.misfits)
        super().__init__(f"{len(names)} {do} not fit this database:{lines}\n", hint=hint)
        # What pickle makes it anew from.
        self.args = (self.misfits,)

    def __str__(self) -> str:
        return f"{self.message}{self.hint or ''}".rstrip()


class ValidationError(TaskdbError, ValueError):
    """An argument breaks a rule: *field* names it, *rule* is what must hold of it.

    The message is both: ``ValidationError("priority", "must be between 1 and 10")``, unless a
    function of the database raised the error with a *message* of its own. *field* is None only
    where the server did not say which value it refused.
    """

    def __init__(
        self,
        field: str | None,
        rule: str,
        *,
        message: str | None = None,
        where: str | None = None,
        hint: str | None = None,
        sqlstate: str | None = None,
        constraint: str | None = None,
    ) -> None:
        super().__init__(
            message or f"{field or 'a value'} {rule}",
            where=where,
            hint=hint,
            sqlstate=sqlstate,
            constraint=constraint,
        )
        self.args = (field, rule)
        self.field = field
        self.rule = rule


class QueryDefinitionError(TaskdbError):
    """A ``.sql`` file and its Python stubs disagree, or the file is not what it should be.

    Raised at import. Its text begins with the place, as a compiler's does: editors jump to it.
    """

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}. {self.hint}" if self.hint else text


class ScriptError(TaskdbError):
    """A statement of a ``.sql`` file failed; `where` is ``file:line``, the cause the server's."""


class MigrationError(ScriptError):
    """A migration's file is wrong, is not what was applied, or failed; nothing of it was kept."""


def translate(
    exc: psycopg.Error, *, where: str | None = None, parameters: Sequence[str] = ()
) -> Exception:
    """Return taskdb's error for *exc*, or *exc* itself where taskdb does not understand it.

    Raise the result ``from exc``. *where* is the statement's place in its file; *parameters*
    names what `$1`, `$2`, ... stand for, so that a value which the server cannot read is
    reported under its name. Serialization failures (40001) and deadlocks (40P01) come back as
    they are: `Database.retrying` knows them.

    The message names columns, tables and rules, and of values only the key of an epic, a feature
    or a task that is taken: PostgreSQL's detail may hold a whole row, so it stays with *exc*.
    """
    report = _Report(exc, parameters)
    understand = _in_own_words if report.is_in_own_words else _REFUSALS.get(report.code)
    error = understand(report) if understand else None
    if error is None:
        return exc
    error.where = where
    error.sqlstate = report.code or None
    error.constraint = report.constraint
    return error


_QUOTED: Final = re.compile('["„“”«»「」]([^"„“”«»「」]+)["„“”«»「」]')
_TRIGGER_CODE: Final = re.compile(r"(TD\d{3})\b ?(.*)", re.DOTALL)
_CONSTRAINT: Final = re.compile(r'constraint "([^"]+)"')
_TABLE: Final = re.compile(r'(?:relation|on table) "([^"]+)"')
_KEY_COLUMNS: Final = re.compile(r"[^()]*\((.+?)\)=\(")
_KEY_VALUE: Final = re.compile(r"\(key\)=\((.*)\)", re.DOTALL)
# Constraints whose value is how people call the row: of many new ones it says which is taken.
_PUBLIC_KEYS: Final = {"epics_key_is_unique", "features_key_is_unique", "tasks_key_is_unique"}
_PARAMETER: Final = re.compile(r"^(?:unnamed )?portal .*?parameter \$(\d+)", re.MULTILINE)
_COPIED: Final = re.compile(r"^COPY .+?, line (\d+), column (\w+)", re.MULTILINE)
_UNREADABLE: Final = re.compile(r"invalid input (?:syntax for type|value for enum) ([^:\"]+)")
_TOO_LONG: Final = re.compile(r"value too long for type ([a-z ]+)\((\d+)\)$")
_OUT_OF_RANGE: Final = re.compile(r"(?s).* for type ([\w ]+)$|^(\w+) out of range$")


class _Report:
    """What a server's error says, without the values that it may quote."""

    def __init__(self, exc: psycopg.Error, parameters: Sequence[str]) -> None:
        diag = exc.diag
        self.message = diag.message_primary or str(exc)
        self.detail = diag.message_detail or ""
        self.hint = diag.message_hint
        self.context = diag.context or ""
        self.column = diag.column_name
        self.is_raised = diag.source_function == "exec_stmt_raise"
        self.is_of_domain = bool(diag.datatype_name)
        self.constraint = diag.constraint_name or _first(_CONSTRAINT, self.message)
        self.table = without_shard(diag.table_name or _first(_TABLE, self.message) or "")
        self.parameters = parameters
        # Citus's workers pass the code of a trigger's error on in the detail only.
        trigger = _TRIGGER_CODE.match(self.detail)
        self.code = trigger[1] if trigger else exc.sqlstate or type(exc).__name__
        self.told = trigger[2] if trigger else self.detail

    @property
    def is_in_own_words(self) -> bool:
        """Whether the message says what no constraint's name does: `raise exception '...'`."""
        if self.constraint or self.code not in _REFUSALS:
            return False
        is_raised = self.is_raised and self.code[:2] in ("22", "23")
        return is_raised or (self.code.startswith("23") and not self.column)

    @property
    def rule(self) -> Rule:
        """What the constraint demands."""
        return describe(self.constraint or "", self.table)

    @property
    def key_columns(self) -> str | None:
        """The columns of ``Key (task_id, path)=(...)``, in whatever language the server speaks."""
        match = _KEY_COLUMNS.match(self.detail)
        return match[1] if match else None

    @property
    def argument(self) -> str | None:
        """What could not be read: a parameter, or a column and line of a COPY."""
        if copied := _COPIED.search(self.context):
            return f"{copied[2]} (line {copied[1]})"
        number = _first(_PARAMETER, self.context)
        index = int(number) - 1 if number else len(self.parameters)
        return self.parameters[index] if index < len(self.parameters) else self.column


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None


def _integrity(field: str | None, rule: str, report: _Report) -> IntegrityError:
    return IntegrityError(f"{field or report.table} {rule}", field=field, rule=rule)


def _in_own_words(report: _Report) -> TaskdbError:
    field, message = report.column, report.message
    if report.code in ("23502", "23514") or report.code.startswith("22"):
        return ValidationError(field, message, message=message, hint=report.hint)
    return IntegrityError(message, field=field, rule=message, hint=report.hint)


def _duplicate(report: _Report) -> IntegrityError:
    if without_shard(report.constraint or "") in CONSTRAINTS:
        return _integrity(*report.rule, report)
    field = report.key_columns or report.rule.field
    rule = f"must be unique in {report.table}"
    taken = _KEY_VALUE.search(report.detail) if report.constraint in _PUBLIC_KEYS else None
    if taken:
        return IntegrityError(f"{field} {taken[1]!r} {rule}", field=field, rule=rule)
    return _integrity(field, rule, report)


def _overlap(report: _Report) -> IntegrityError:
    field = report.key_columns or report.rule.field
    return _integrity(field, f"must not conflict with another row of {report.table}", report)


def _reference(report: _Report) -> IntegrityError:
    if without_shard(report.constraint or "") in CONSTRAINTS:
        return _integrity(*report.rule, report)
    # Who deletes is told of three names, who inserts of two, in every language.
    names = _QUOTED.findall(report.message)
    if report.code == "23001" or len(names) > 2:
        field = report.rule.field
        user = f"{report.table}.{field}" if field else report.table
        return IntegrityError(
            f"the row is still in use: {user} names it",
            field=field,
            rule="must not name the row any more",
        )
    if without_shard(report.constraint or "") in CONSTRAINTS:
        return _integrity(*report.rule, report)
    named = _QUOTED.findall(report.detail)
    target = without_shard(named[-1]) if named else "its table"
    field = report.key_columns or report.rule.field
    return _integrity(field, f"must name a row of {target} that exists", report)


def _null(report: _Report) -> ValidationError:
    return ValidationError(report.column, "must not be null")


def _check(report: _Report) -> ValidationError:
    field, rule = report.rule
    if report.is_of_domain:
        # The server says which domain, but of which column only while it reads the value.
        field = report.argument or field
    return ValidationError(field or report.table or None, rule)


def _unreadable(report: _Report) -> ValidationError:
    kind = _first(_UNREADABLE, report.message)
    return ValidationError(
        report.argument, f"must be a valid {kind.strip()}" if kind else "must be valid for its type"
    )


def _path(report: _Report) -> ValidationError | None:
    # A jsonpath is read as a value, with a grammar of its own. A syntax error of the statement
    # itself is of no parameter.
    return ValidationError(report.argument, "must be a valid jsonpath") if report.argument else None


def _too_long(report: _Report) -> ValidationError:
    match = _TOO_LONG.match(report.message)
    rule = f"must have at most {match[2]} characters" if match else "must be shorter"
    return ValidationError(report.argument, rule)


def _out_of_range(report: _Report) -> ValidationError:
    match = _OUT_OF_RANGE.match(report.message)
    span = f"the range of {match[1] or match[2]}" if match else "its type's range"
    return ValidationError(report.argument, f"must lie in {span}")


def _too_large(report: _Report) -> ValidationError | None:
    if not any(words in report.message for words in ("too long", "exceeds", "maximum size")):
        return None
    # Of an index of several columns, its constraint's name says which is meant.
    field = report.argument or report.rule.field
    return ValidationError(field, "must be small enough to be indexed")


def _text(report: _Report) -> ValidationError | None:
    if report.code == "DataError" and "NUL" not in report.message:
        return None
    return ValidationError(
        report.argument, "must be text that the database's encoding has, without NUL characters"
    )


def _fixed(field: str, rule: str) -> Callable[[_Report], ValidationError]:
    return lambda report: ValidationError(field, rule)


def _move(report: _Report) -> InvalidTransitionError:
    return InvalidTransitionError(report.message, hint=report.hint)


def _conflict(report: _Report) -> VersionConflictError:
    return VersionConflictError(report.message, hint=report.hint)


def _loop(report: _Report) -> CircularDependencyError:
    try:
        path: list[str] = json.loads(report.told)
    except ValueError:
        # Not from taskdb's triggers. The refusal matters more than how it is told.
        path = []
    return CircularDependencyError(report.message, path=path, hint=report.hint)


def _frozen(report: _Report) -> IntegrityError:
    return IntegrityError(report.message, rule=report.message, hint=report.hint)


def _refused(report: _Report) -> ValidationError:
    field, _, rule = report.told.partition(": ")
    return ValidationError(field, rule, hint=report.hint)


def _held(report: _Report) -> IntegrityError:
    field, _, rule = report.told.partition(": ")
    return IntegrityError(report.message, field=field, rule=rule, hint=report.hint)


# docs/errors.md has this table for people.
_REFUSALS: Final[Mapping[str, Callable[[_Report], TaskdbError | None]]] = {
    "TD001": _move,
    "TD002": _loop,
    "TD003": _frozen,
    "TD004": _frozen,
    "TD005": _refused,
    "TD006": _conflict,
    "TD007": _held,
    "23001": _reference,
    "23502": _null,
    "23503": _reference,
    "23505": _duplicate,
    "23514": _check,
    "23P01": _overlap,
    "22001": _too_long,
    "22003": _out_of_range,
    "22007": _unreadable,
    "22008": _out_of_range,
    "2201B": _path,
    "42601": _path,
    "22021": _text,
    "2201W": _fixed("limit", "must not be negative"),
    "2201X": _fixed("offset", "must not be negative"),
    "22P02": _unreadable,
    "22P05": _text,
    "54000": _too_large,
    # psycopg's own refusal of text that cannot be sent has no SQLSTATE.
    "DataError": _text,
}
