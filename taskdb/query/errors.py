"""Tree of a query's errors. `taskdb.errors` adds those of the task database alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "DatabaseError",
    "IntegrityError",
    "Mismatch",
    "NotFoundError",
    "QueryDefinitionError",
    "QueryMismatchError",
    "TaskdbError",
    "TooManyRowsError",
    "ValidationError",
]


class TaskdbError(Exception):
    """The root: `except TaskdbError` catches all that taskdb raises of its own.

    `message` is one sentence, `where` a place such as ``sql/queries/tasks.sql:7:15``, `hint`
    what to do. An error that began in the server keeps its `sqlstate` and, where a constraint
    refused, its `constraint`; the server's own error is the `__cause__`.
    """

    # The default remedy, for errors raised without a better one.
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


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One query that no longer fits its database: its places, and what differs."""

    query: str
    sql_where: str
    python_where: str
    message: str

    def __str__(self) -> str:
        return f"{self.sql_where}: {self.query} ({self.python_where}): {self.message}"


class QueryMismatchError(DatabaseError):
    """The database is not the one that the queries were checked against.

    `mismatches` has one entry for each thing that differs; its text lists them, a line each.
    """

    def __init__(self, mismatches: Iterable[Mismatch], *, hint: str | None = None) -> None:
        self.mismatches = tuple(mismatches)
        names = list(dict.fromkeys(each.query for each in self.mismatches))
        do = "query does" if len(names) == 1 else "queries do"
        lines = "".join(f"\n  {each}" for each in self.mismatches)
        super().__init__(f"{len(names)} {do} not fit this database:{lines}\n", hint=hint)
        # The arguments from which pickle makes it again.
        self.args = (self.mismatches,)

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
