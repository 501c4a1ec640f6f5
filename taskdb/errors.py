"""Tree of taskdb's errors, and their mapping from the task database's own SQLSTATEs.

::

    TaskdbError
    ├── DatabaseError                       anything about the database
    │   ├── IntegrityError                  a constraint refused the change
    │   ├── NotFoundError                   a query that promises a row found none
    │   ├── TooManyRowsError                a query that promises one row found more
    │   ├── CircularDependencyError         the edge or parent would close a cycle; has .path
    │   ├── InvalidTransitionError          the transition is not an allowed one
    │   ├── ClaimLostError                  the token is stale: another agent took the task over
    │   ├── VersionConflictError            the project changed since it was seen
    │   ├── DatabaseNotFoundError           nothing is configured, or nothing answers there
    │   ├── SchemaVersionMismatchError      database and package do not fit each other
    │   └── QueryMismatchError            the database is not what queries expect; has .mismatches
    ├── ValidationError (also ValueError)   an argument breaks a rule; has .field and .rule
    ├── MissingExtraError (also ImportError)   an extra of the package is not installed
    ├── QueryDefinitionError                a .sql file and its stubs disagree; found at import
    └── ScriptError                         a statement of a .sql file failed
        └── MigrationError                  a migration's file is wrong, was edited, or failed

What taskdb does not understand passes through as psycopg's own error.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Final

from taskdb.constraints import CONSTRAINTS, without_shard
from taskdb.query.errors import (
    DatabaseError,
    IntegrityError,
    NotFoundError,
    QueryDefinitionError,
    QueryMismatchError,
    TaskdbError,
    TooManyRowsError,
    ValidationError,
)
from taskdb.query.translation import Refusal, Translator, Understand

__all__ = [
    "CircularDependencyError",
    "ClaimLostError",
    "DatabaseError",
    "DatabaseNotFoundError",
    "IntegrityError",
    "InvalidTransitionError",
    "MigrationError",
    "MissingExtraError",
    "NotFoundError",
    "QueryDefinitionError",
    "QueryMismatchError",
    "SchemaVersionMismatchError",
    "ScriptError",
    "TaskdbError",
    "TooManyRowsError",
    "ValidationError",
    "VersionConflictError",
    "translate",
]


class CircularDependencyError(DatabaseError):
    """The edge, or the parent, would close a cycle. `path` names it: ``("A", "B", "A")``."""

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
    """`task_status_transitions` has no row for this transition; only a forced one overrides it.

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
    """No database is configured, or none answers at the configured place."""


class SchemaVersionMismatchError(DatabaseError):
    """The database's schema and this package do not fit each other."""


class MissingExtraError(TaskdbError, ImportError):
    """A part of taskdb was asked for whose dependencies are an extra that is not installed."""


@contextmanager
def needing(extra: str) -> Generator[None]:
    """Name the *extra* of taskdb that an import of the block needs, if it fails."""
    try:
        yield
    except ModuleNotFoundError as exc:
        raise MissingExtraError(
            f"{exc.name} is not installed", hint=f"Run: pip install 'taskdb[{extra}]'"
        ) from exc


class ScriptError(TaskdbError):
    """A statement of a ``.sql`` file failed; `where` is ``file:line``, the cause the server's."""


class MigrationError(ScriptError):
    """A migration's file is wrong, is not what was applied, or failed; nothing of it was kept."""


# The server's functions that look up a table, a function and a type of a statement.
_LOOKUPS: Final = (
    "parserOpenTable",
    "RangeVarGetRelidExtended",
    "ParseFuncOrColumn",
    "typenameType",
)


def _cycle(refusal: Refusal) -> CircularDependencyError:
    try:
        path: list[str] = json.loads(refusal.detail)
    except ValueError:
        # Not from taskdb's triggers. The refusal matters more than its wording.
        path = []
    return CircularDependencyError(refusal.message, path=path, hint=refusal.hint)


def _frozen(refusal: Refusal) -> IntegrityError:
    return IntegrityError(refusal.message, rule=refusal.message, hint=refusal.hint)


def _refused(refusal: Refusal) -> ValidationError:
    field, _, rule = refusal.detail.partition(": ")
    return ValidationError(field, rule, hint=refusal.hint)


def _held(refusal: Refusal) -> IntegrityError:
    field, _, rule = refusal.detail.partition(": ")
    return IntegrityError(refusal.message, field=field, rule=rule, hint=refusal.hint)


def _out_of_sight(refusal: Refusal) -> DatabaseError | None:
    if refusal.function not in _LOOKUPS:
        return None
    return DatabaseError(
        "taskdb's tables are not in the search path of this connection, or its role may not use"
        " them",
        hint="Set the path of a connection from elsewhere to workspace, shared, pg_temp:"
        " psycopg.connect(url, options='-c search_path=taskdb,shared,pg_temp'), or use"
        " taskdb.connect(url); let a role in with: taskdb roles grant; make the tables with:"
        " taskdb migrate up",
    )


ERRORS: Final[Mapping[str, type[TaskdbError] | Understand]] = {
    "TD001": InvalidTransitionError,
    "TD002": _cycle,
    "TD003": _frozen,
    "TD004": _frozen,
    "TD005": _refused,
    "TD006": VersionConflictError,
    "TD007": _held,
    # A table, a function or a type that the queries name and the session does not find.
    "42P01": _out_of_sight,
    "42883": _out_of_sight,
    "42704": _out_of_sight,
}
"""Errors for the SQLSTATEs of the task database's own functions, and where those are not found.
docs/errors.md has the table."""

translate: Final = Translator(ERRORS, CONSTRAINTS, without_shard).translate
"""Translation of a server's error for the queries of the task database: `Translator.translate`."""
