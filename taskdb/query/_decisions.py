"""Decisions about each call of a query, for any kind of connection.

Which text, which arguments, how many rows, what the rows become, which error: all but the
waiting for the server, which is in `_waiting_async` and its synchronous form.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Generic, LiteralString, NoReturn, ParamSpec, TypeAlias, cast
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from psycopg import (
    AsyncConnection,
    AsyncRawCursor,
    AsyncRawServerCursor,
    Connection,
    RawCursor,
    RawServerCursor,
)
from psycopg.pq import ExecStatus, TransactionStatus

from taskdb.query._conversions import refuse_unreadable
from taskdb.query._parameters import Parameter, row_binder
from taskdb.query._results import Cardinality, Loader, Result, ResultColumn
from taskdb.query._statements import Statement, Term, Variant
from taskdb.query.errors import (
    NotFoundError,
    QueryDefinitionError,
    TaskdbError,
    TooManyRowsError,
    ValidationError,
)
from taskdb.query.rules import UNSET

__all__ = [
    "STREAM_SIZE",
    "Decisions",
    "Prepared",
    "close_if_stuck",
    "copying",
    "cursor_name",
    "declaration",
    "is_outdated",
    "made",
    "needs_transaction",
    "outdated",
    "place_of",
    "refuse_within_copy",
]

# Rows that `.stream` fetches at a time.
STREAM_SIZE: Final = 500
# Variants of one query that are kept ready; a query of n conditional groups has 2 to the n.
MAX_VARIANTS: Final = 512
# Combinations of types (a NULL is one) that a plan remembers.
MAX_KINDS: Final = 64
# A message shows at most this much of an argument.
SHOWN_CHARACTERS: Final = 80
# The server's type void: a function called for its effect.
VOID: Final = 2278

P = ParamSpec("P")

_cursor_numbers: Final = count(1)
# Connections whose prepared statements are not what psycopg believes, to be cleared before the next
# statement: in a failed transaction it could not be done at once.
outdated: Final[WeakSet[Any]] = WeakSet()
# Connections that a copy has for itself, and the thread or task that makes its rows.
copying: Final[WeakKeyDictionary[Any, Any]] = WeakKeyDictionary()

AnyCursor: TypeAlias = (
    RawCursor[Any] | AsyncRawCursor[Any] | RawServerCursor[Any] | AsyncRawServerCursor[Any]
)


@dataclass(frozen=True, slots=True)
class BatchRow(Generic[P]):
    """One row of a batch: the arguments of one call of a query, checked and encoded."""

    query: str
    values: tuple[Any, ...]

    def values_for(self, query: str) -> tuple[Any, ...]:
        """Return the values. Raises TypeError if they are another query's."""
        if query != self.query:
            raise TypeError(f"a row of {self.query} is none of {query}: make it with .row(...)")
        return self.values


@dataclass(frozen=True, slots=True)
class Reader:
    """Reader of results of one shape: the columns' names and the server's types.

    `kinds` are the Python types of the rows that came alone: a row of the same types needs no
    look at its columns, which would take longer than reading it.
    """

    shape: tuple[Any, ...]
    load: Loader
    kinds: set[tuple[type, ...]] = field(default_factory=set[tuple[type, ...]])


@dataclass(slots=True)
class Prepared:
    """One variant, ready to be sent: its text, and which bound arguments it takes.

    `reader` knows the shape of its last result.
    """

    variant: Variant
    text: LiteralString
    pick: Callable[[tuple[Any, ...]], Sequence[Any]]
    reader: Reader | None = None


class Decisions:
    """One query's: made of its statement and its stub once, taken at every call."""

    def __init__(
        self,
        statement: Statement,
        *,
        name: str,
        tag: str,
        called_at: str,
        bind: Callable[..., tuple[Any, ...]],
        parameters: Sequence[Parameter],
        result: Result,
        not_found: type[Exception] | None,
        translate: Callable[..., Exception],
    ) -> None:
        self.statement = statement
        self.name = name
        self.tag = tag
        self.where = statement.where
        self.called_at = called_at
        self.bind = bind
        self.parameters = tuple(parameters)
        self.result = result
        self._not_found = not_found
        self._translate = translate
        self._index = {parameter.name: i for i, parameter in enumerate(parameters)}
        self._arguments = {parameter.name: parameter.argument for parameter in parameters}
        self._switches = tuple(
            (parameter.name, index, UNSET if parameter.unsettable else None)
            for index, parameter in enumerate(parameters)
            if parameter.name in statement.conditional - statement.choices.keys()
        )
        self._choices = tuple((name, self._index[name]) for name in statement.choices)
        self._plans: dict[tuple[Any, ...], Prepared] = {}

    def plan(self, values: tuple[Any, ...]) -> Prepared:
        """Return the variant for these arguments. Raises ValidationError for half a group."""
        key: tuple[Any, ...] = ()
        if self._switches:
            key = tuple([values[index] is not absent for _, index, absent in self._switches])
        if self._choices:
            key += tuple([values[index] for _, index in self._choices])
        plan = self._plans.get(key)
        if plan is None:
            plan = self._make_plan(key)
            if len(self._plans) >= MAX_VARIANTS:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    def _make_plan(self, key: tuple[Any, ...]) -> Prepared:
        present = {name for (name, _, _), given in zip(self._switches, key, strict=False) if given}
        for (name, _), value in zip(self._choices, key[len(self._switches) :], strict=True):
            if value is not None and value is not UNSET:
                present.add(Term(name, value=str(value)).fact)
        self._refuse_half_groups(present)
        self._refuse_without_effect(present)
        variant = self.statement.variant(present, self.tag)
        indexes = [self._index[name] for name in variant.parameters]
        return Prepared(variant, cast("Any", variant.text), _picker(indexes))

    def _refuse_half_groups(self, present: Collection[str]) -> None:
        for condition in self.statement.conditions:
            names = [term.name for term in condition.terms if not term.negated and not term.value]
            given = [name for name in names if name in present]
            if given and len(given) < len(names):
                lacking = next(name for name in names if name not in present)
                raise ValidationError(
                    self._arguments[lacking],
                    f"must be given together with {', '.join(given)}",
                    where=self.statement.source.where(condition.at),
                )

    def _refuse_without_effect(self, present: Collection[str]) -> None:
        """Refuse an argument all of whose lines are left out, for another's sake."""
        for fact, terms in self.statement.needs.items():
            lacking = [term for term in terms if not term.holds(present)]
            if fact in present and lacking:
                term = lacking[0]
                rule = f"has no effect without {term.fact}"
                if term.negated:
                    rule = f"has no effect when {term.name} is given"
                argument = self._arguments[fact.partition("=")[0]]
                raise ValidationError(argument, rule, where=self.where)

    def bind_row(
        self, number: int, row: Mapping[str, Any] | BatchRow[...]
    ) -> tuple[Prepared, tuple[Any, ...]]:
        """Return the plan and the bound arguments of one row of a batch."""
        try:
            values = row.values_for(self.name) if isinstance(row, BatchRow) else self.bind(**row)
            return self.plan(values), values
        except (TypeError, ValidationError) as exc:
            exc.add_note(f"in row {number} of the batch")
            raise

    @cached_property
    def changes_session(self) -> bool:
        """Return whether it may change the session's state for later statements."""
        return self.statement.changes_session

    def warn(self, conn: object) -> None:
        """Tell a pooled connection that its session changes, so that it is reset afterwards."""
        heed = getattr(conn, "heed", None)
        if heed is not None:
            heed(self.statement.source.text[self.statement.start : self.statement.end])

    def refuse_copy(self) -> None:
        """Refuse to run a copy statement as if it were another."""
        if self.statement.copy_columns is not None:
            raise TypeError(f"{self.name} is a copy statement: call its .copy(conn, rows)")

    # Reading what came back

    def has_rows(self, cursor: AnyCursor, values: tuple[Any, ...]) -> bool:
        """Tell whether the statement returned rows; refuse a number that was not promised."""
        result = cursor.pgresult
        if result is None:
            raise psycopg.InterfaceError(
                f"{self.name} ran amid the batch that another task or thread sends through this "
                "connection: give each its own"
            )
        if result.status != ExecStatus.TUPLES_OK:
            return False
        size = self.result.cardinality
        rows = result.ntuples
        if size is Cardinality.NONE:
            if result.nfields != 1 or result.ftype(0) != VOID:
                raise self._mismatch("returns rows, but its function returns None")
            return False
        if size is Cardinality.MANY or rows == 1:
            return True
        if rows > 1:
            raise TooManyRowsError(
                f"{rows} rows were found{self._for(values)}, where one is promised",
                where=self.where,
            )
        if size is Cardinality.ONE:
            raise self._no_row(values)
        return True

    def finished(
        self,
        cursor: AnyCursor,
        plan: Prepared,
        values: tuple[Any, ...],
        rows: Sequence[tuple[Any, ...]] | None,
    ) -> Any:
        if rows is None:
            return self.from_count(cursor, values)
        return self.from_rows(cursor, plan, rows)

    def from_rows(self, cursor: AnyCursor, plan: Prepared, rows: Sequence[tuple[Any, ...]]) -> Any:
        loaded = self.load(cursor, plan, rows, 0)
        if self.result.cardinality is Cardinality.MANY:
            return loaded
        return loaded[0] if loaded else None

    def from_count(self, cursor: AnyCursor, values: tuple[Any, ...]) -> Any:
        if self.result.cardinality is not Cardinality.NONE and not self.result.counts:
            raise self._mismatch("returns no rows, but its function promises some")
        if self._not_found and cursor.rowcount == 0:
            raise self._no_row(values)
        if not self.result.counts:
            return None
        if cursor.rowcount < 0:
            raise self._mismatch("affects no rows that could be counted, but returns int")
        return cursor.rowcount

    def load(
        self, cursor: AnyCursor, plan: Prepared, rows: Sequence[tuple[Any, ...]], before: int
    ) -> list[Any]:
        reader = plan.reader
        kinds = tuple(map(type, rows[0])) if len(rows) == 1 and not before else None
        if reader and kinds in reader.kinds:
            return reader.load(rows, before, cursor)
        result = cursor.pgresult
        assert result is not None
        fields = range(result.nfields)
        shape = (*map(result.fname, fields), *map(result.ftype, fields))
        if reader is None or reader.shape != shape:
            columns = [
                ResultColumn((result.fname(i) or b"").decode(errors="replace"), result.ftype(i))
                for i in fields
            ]
            load = self.result.loader(
                columns,
                cursor.adapters,
                self.name,
                self.where,
                may_grow=self.statement.has_star,
            )
            reader = plan.reader = Reader(shape, load)
        if kinds and not self.statement.has_star and len(reader.kinds) < MAX_KINDS:
            reader.kinds.add(kinds)
        return reader.load(rows, before, cursor)

    @contextlib.contextmanager
    def readable(self, cursor: AnyCursor, before: Callable[[], int]) -> Generator[None]:
        """Name the value that psycopg can't read, while the cursor still has it."""
        try:
            yield
        except psycopg.DataError as exc:
            refuse_unreadable(cursor, self.name, self.where, exc, before())
            raise

    # Saying what went wrong

    def _mismatch(self, message: str) -> QueryDefinitionError:
        return QueryDefinitionError(
            f"{self.name} {message}",
            where=self.where,
            hint=f"Change the statement, or the return type of {self.called_at}",
        )

    def _no_row(self, values: tuple[Any, ...]) -> Exception:
        message = f"no row was found{self._for(values)}"
        return made(self._not_found or NotFoundError, message, self.where)

    def _for(self, values: tuple[Any, ...]) -> str:
        """Name the arguments that are keys; others may be long, or nobody's business."""
        shown = [
            f"{parameter.name}={_shortened(value)}"
            for parameter, value in zip(self.parameters, values, strict=True)
            if parameter.is_key and value is not None and value is not UNSET
        ]
        return f" for {', '.join(shown)}" if shown else ""

    def raise_error(
        self,
        exc: psycopg.Error,
        plan: Prepared,
        conn: object,
        *,
        prefix: str = "",
        cursor: AnyCursor | None = None,
    ) -> NoReturn:
        """Raise the server's error as taskdb's, with the place in the file it points at."""
        if cursor is not None and isinstance(exc, psycopg.DataError):
            refuse_unreadable(cursor, self.name, self.where, exc)
        source = self.statement.source
        where, excerpt = self.where, ""
        position = exc.diag.statement_position
        if position is not None:
            offset = plan.variant.offset(int(position) - 1 - len(prefix))
            where, excerpt = source.where(offset), "\n" + source.excerpt(offset)
        if is_outdated(exc):
            outdated.add(conn)
            exc.add_note(
                "A table changed under this connection's prepared statements, or they were taken "
                "away. Roll back and run the transaction again: they are prepared again."
            )
        arguments = [self._arguments[name] for name in plan.variant.parameters]
        error = self._translate(exc, where=where, parameters=arguments)
        if excerpt or error is exc:
            error.add_note(f"{self.name} at {where}{excerpt}")
        if error is exc:
            raise exc
        raise error from exc

    def raise_in_batch(
        self,
        exc: psycopg.Error,
        conn: object,
        bound: Sequence[tuple[Prepared, tuple[Any, ...]]],
        cursors: Sequence[AnyCursor],
    ) -> NoReturn:
        """Raise the error of a pipeline; if it is the server's, its row is the first unanswered."""
        if exc.sqlstate is None:
            self.raise_error(exc, bound[0][0], conn)
        failed = next((i for i, cursor in enumerate(cursors) if cursor.pgresult is None), 0)
        with self.row_of_batch(failed + 1, bound[failed][0], conn):
            raise exc

    @contextlib.contextmanager
    def row_of_batch(self, number: int, plan: Prepared, conn: object) -> Generator[None]:
        try:
            try:
                yield
            except psycopg.Error as exc:
                self.raise_error(exc, plan, conn)
        except Exception as exc:
            exc.add_note(f"in row {number} of the batch")
            raise

    def copied(self, rows: Iterable[Any]) -> Iterator[Sequence[Any]]:
        """Yield the rows of a copy, each bound to the columns."""
        bind = row_binder(self.parameters, self.where)
        for number, row in enumerate(rows, 1):
            try:
                bound = bind(row)
            except ValidationError as exc:
                exc.add_note(f"in row {number} of the copy")
                raise
            yield bound


def _picker(indexes: Sequence[int]) -> Callable[[tuple[Any, ...]], Sequence[Any]]:
    if len(indexes) > 1:
        return itemgetter(*indexes)
    return lambda values: [values[index] for index in indexes]


def is_outdated(exc: psycopg.Error) -> bool:
    """Recognise prepared statements that are not psycopg's any more, in whatever language.

    "cached plan must not change result type"; one that is gone; a name that another one has.
    """
    return exc.sqlstate in ("26000", "42P05") or (
        exc.diag.source_function == "RevalidateCachedQuery"
    )


def close_if_stuck(conn: Connection[Any] | AsyncConnection[Any]) -> None:
    """Close a connection whose copy was broken off as it began: psycopg leaves it half begun.

    If another thread or task has the connection, it is that one's.
    """
    if conn.pgconn.transaction_status == TransactionStatus.ACTIVE and not conn.lock.locked():
        conn.pgconn.finish()


def refuse_within_copy() -> NoReturn:
    """Refuse a statement on the connection of the copy whose rows are being made."""
    raise psycopg.InterfaceError(
        "the connection is in use by the copy whose rows are generated here: read from another "
        "connection, or before the copy"
    )


def needs_transaction(conn: Connection[Any] | AsyncConnection[Any]) -> bool:
    """Return whether a stream on this connection has to begin a transaction itself."""
    return conn.autocommit and conn.pgconn.transaction_status == TransactionStatus.IDLE


def cursor_name() -> str:
    """Return a name that no other server-side cursor of this process has."""
    return f"taskdb_{next(_cursor_numbers)}"


def declaration(name: str) -> str:
    """Return what psycopg puts before a streamed statement, so that positions can be mapped."""
    return f'DECLARE "{name}" CURSOR FOR '


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 2]}…{text[-1]}"


def made(error: type[Exception], message: str, where: str) -> Exception:
    """Return an error of one's own class, or of taskdb's, which take the place as well."""
    return error(message, where=where) if issubclass(error, TaskdbError) else error(message)


def place_of(function: Callable[..., Any]) -> str:
    """Return a function's place as `taskdb/queries/tasks.py:15`."""
    code = inspect.unwrap(function).__code__
    depth = function.__module__.count(".") + 1
    return f"{'/'.join(Path(code.co_filename).parts[-depth:])}:{code.co_firstlineno}"
