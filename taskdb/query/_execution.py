"""Running a query: one statement, one stub, sync and async.

What is decided about a call (which text, which arguments, how many rows, what the rows become,
which error) is decided once, here; what has to wait for the server is written twice, next to
each other, as a plain and as an async function.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import (
    AsyncGenerator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import (
    Any,
    Final,
    Generic,
    LiteralString,
    NoReturn,
    ParamSpec,
    TypeAlias,
    TypeVar,
    cast,
    overload,
)
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
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row

from taskdb.query._conversions import refuse_unreadable
from taskdb.query._parameters import Parameter, binder, row_binder
from taskdb.query._results import Loader, Result, ResultColumn, Size
from taskdb.query._statements import Statement, Variant
from taskdb.query.errors import (
    NotFoundError,
    QueryDefinitionError,
    TaskdbError,
    TooManyRowsError,
    ValidationError,
)
from taskdb.query.rules import UNSET

__all__ = ["MAX_VARIANTS", "STREAM_SIZE", "Query", "made", "place_of"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

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

_cursor_numbers: Final = count(1)
# Connections whose prepared statements no longer fit the tables, to be cleared before the next
# statement: in a failed transaction it could not be done at once.
_outdated: Final[WeakSet[Any]] = WeakSet()
# Connections that a copy has for itself, and the thread that makes its rows.
_copying: Final[WeakKeyDictionary[Any, int]] = WeakKeyDictionary()

_AnyCursor: TypeAlias = (
    RawCursor[Any] | AsyncRawCursor[Any] | RawServerCursor[Any] | AsyncRawServerCursor[Any]
)


@dataclass(frozen=True, slots=True)
class _Reader:
    """What reads results of one shape: the columns' names and the server's types.

    `kinds` are the Python types of the rows that came alone: a row of the same types needs no
    look at its columns, which would take longer than reading it.
    """

    shape: tuple[Any, ...]
    load: Loader
    kinds: set[tuple[type, ...]] = field(default_factory=set[tuple[type, ...]])


@dataclass(slots=True)
class _Plan:
    """One variant, ready to be sent: its text, and which bound arguments it takes.

    `reader` knows the shape of its last result.
    """

    variant: Variant
    text: LiteralString
    pick: Callable[[tuple[Any, ...]], Sequence[Any]]
    reader: _Reader | None = None


class Query(Generic[P, R]):
    """A named statement with the signature of its stub.

    Call it with a psycopg connection and the stub's arguments; with an AsyncConnection the
    result is awaited. `name` is "tasks.list_tasks", `where` its place in the `.sql` file, `mark`
    the comment in each of its texts,
    `statement`, `parameters` and `result` are what `taskdb check` compares with the database.

    Every call may raise ValidationError for an argument, NotFoundError (or what `missing=`
    named) and TooManyRowsError for the number of rows, QueryDefinitionError where columns and
    return type do not fit, what the `Queries` make of a server's error, and
    psycopg's own errors with a note of the file, line and column.
    """

    def __init__(
        self,
        function: Callable[P, R],
        statement: Statement,
        *,
        area: str,
        application: str,
        parameters: Sequence[Parameter],
        result: Result,
        missing: type[Exception] | None,
        translate: Callable[..., Exception],
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.statement = statement
        self.name = f"{area}.{statement.name}"
        self.parameters = tuple(parameters)
        self.result = result
        self.mark = f"/* {application}:{self.name} */"
        self._missing = missing
        self._translate = translate
        self._bind = binder(function, parameters, statement.where)
        self._index = {parameter.name: i for i, parameter in enumerate(parameters)}
        self._switches = tuple(
            (parameter.name, index, UNSET if parameter.unsettable else None)
            for index, parameter in enumerate(parameters)
            if parameter.name in statement.conditional
        )
        self._plans: dict[tuple[bool, ...], _Plan] = {}

    def __repr__(self) -> str:
        return f"<query {self.name} of {self.where}>"

    def __reduce__(self) -> str:
        """Let pickle and copy take it as they take a function: by its name."""
        return self.function.__qualname__

    @property
    def where(self) -> str:
        """The place of its name in the `.sql` file, such as `sql/queries/tasks.sql:7:1`."""
        return self.statement.where

    @property
    def called_at(self) -> str:
        """The place of its stub, such as `taskdb/queries/tasks.py:15`."""
        return place_of(self.function)

    @property
    def doc(self) -> str:
        """The comment below its name in the `.sql` file."""
        return self.statement.doc

    @property
    def plans(self) -> tuple[str, ...]:
        """The texts of its `-- plan:` lines."""
        return self.statement.plans

    def variants(self) -> Iterator[Variant]:
        """Yield every text it may send, 2 to the number of `statement.groups` of them."""
        return self.statement.variants(self.mark)

    def sql(self, **present: object) -> str:
        """Return the text it sends when the conditional arguments *present* are given.

        Only the names count: `list_tasks.sql(status=True)` has the lines of `:status` in it.
        Raises ValueError for a name without a line.
        """
        unknown = present.keys() - self.statement.conditional
        if unknown:
            raise ValueError(f"{self.name} has no line -- if :{sorted(unknown)[0]}")
        return self.statement.variant(present.keys(), self.mark).text

    @overload
    def __call__(self, conn: Connection[Any], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(
        self, conn: AsyncConnection[Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    def __call__(
        self,
        conn: Connection[Any] | AsyncConnection[Any],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R | Coroutine[Any, Any, R]:
        """Run the statement and return what the stub promises."""
        if isinstance(conn, Connection):
            return self._run(conn, self._bind(*args, **kwargs))
        _refuse_stranger(conn)
        return self._run_async(conn, self._bind(*args, **kwargs))

    @overload
    def stream(
        self: Query[P, list[T]], conn: Connection[Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Generator[T, None, None]: ...
    @overload
    def stream(
        self: Query[P, list[T]], conn: AsyncConnection[Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]: ...
    def stream(
        self: Query[P, list[T]],
        conn: Connection[Any] | AsyncConnection[Any],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Generator[T, None, None] | AsyncGenerator[T, None]:
        """Iterate over the rows through a server-side cursor, STREAM_SIZE at a time in memory.

        The cursor lives in a transaction: the caller's, or on an autocommit connection one that
        the iteration opens and ends. Other statements may run on the connection meanwhile; in the
        iteration's transaction they are committed at its end, also if it is left early, and undone
        if it fails. Close the iterator (or exhaust it) before the transaction ends.
        """
        if self.result.size is not Size.MANY:
            raise TypeError(f"{self.name} returns no list: there is nothing to stream")
        self._refuse_copy()
        if self.statement.writes:
            raise TypeError(f"{self.name} writes, and a cursor only reads: call it without .stream")
        if isinstance(conn, Connection):
            return self._stream(conn, self._bind(*args, **kwargs))
        _refuse_stranger(conn)
        return self._stream_async(conn, self._bind(*args, **kwargs))

    @overload
    def batch(self, conn: Connection[Any], rows: Iterable[Mapping[str, Any]], /) -> list[R]: ...
    @overload
    def batch(
        self, conn: AsyncConnection[Any], rows: Iterable[Mapping[str, Any]], /
    ) -> Coroutine[Any, Any, list[R]]: ...
    def batch(
        self,
        conn: Connection[Any] | AsyncConnection[Any],
        rows: Iterable[Mapping[str, Any]],
        /,
    ) -> list[R] | Coroutine[Any, Any, list[R]]:
        """Run the statement once for each of *rows*, which map parameters to arguments.

        All are checked first, then sent in one pipeline, without waiting for one another. The
        results come in the same order. An error names the row, and none after it has run; what
        ran before it is the transaction's to undo (on an autocommit connection the whole
        pipeline is one transaction).
        """
        self._refuse_copy()
        bound = [self._bind_row(number, row) for number, row in enumerate(rows, 1)]
        if isinstance(conn, Connection):
            return self._batch(conn, bound)
        _refuse_stranger(conn)
        return self._batch_async(conn, bound)

    @overload
    def copy(self, conn: Connection[Any], rows: Iterable[Any], /) -> int: ...
    @overload
    def copy(
        self, conn: AsyncConnection[Any], rows: Iterable[Any], /
    ) -> Coroutine[Any, Any, int]: ...
    def copy(
        self, conn: Connection[Any] | AsyncConnection[Any], rows: Iterable[Any], /
    ) -> int | Coroutine[Any, Any, int]:
        """Send *rows* through `copy t (a, b) from stdin`; return how many there were.

        A row is a sequence in the order of the columns or a mapping by their names. Each value
        is checked against the stub's annotation on its way; a refused one ends the copy, and
        the transaction with it.
        """
        if self.statement.copy_columns is None:
            raise TypeError(f"{self.name} is no copy statement")
        if isinstance(conn, Connection):
            return self._copy(conn, rows)
        _refuse_stranger(conn)
        return self._copy_async(conn, rows)

    # Choosing what to send

    def _plan(self, values: tuple[Any, ...]) -> _Plan:
        """Return the variant for these arguments. Raises ValidationError for half a group."""
        key: tuple[bool, ...] = ()
        if self._switches:
            key = tuple([values[index] is not absent for _, index, absent in self._switches])
        plan = self._plans.get(key)
        if plan is None:
            plan = self._make_plan(key)
            if len(self._plans) >= MAX_VARIANTS:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    def _make_plan(self, key: tuple[bool, ...]) -> _Plan:
        present = {name for (name, _, _), given in zip(self._switches, key, strict=True) if given}
        for condition in self.statement.conditions:
            given = [name for name in condition.names if name in present]
            if given and len(given) < len(condition.names):
                lacking = next(name for name in condition.names if name not in present)
                raise ValidationError(
                    lacking,
                    f"must be given together with {', '.join(given)}",
                    where=self.statement.source.where(condition.at),
                )
        variant = self.statement.variant(present, self.mark)
        indexes = [self._index[name] for name in variant.parameters]
        return _Plan(variant, cast("Any", variant.text), _picker(indexes))

    def _bind_row(self, number: int, row: Mapping[str, Any]) -> tuple[_Plan, tuple[Any, ...]]:
        try:
            values = self._bind(**row)
            return self._plan(values), values
        except (TypeError, ValidationError) as exc:
            exc.add_note(f"in row {number} of the batch")
            raise

    def _refuse_copy(self) -> None:
        if self.statement.copy_columns is not None:
            raise TypeError(f"{self.name} is a copy statement: call its .copy(conn, rows)")

    # Running

    def _run(self, conn: Connection[Any], values: tuple[Any, ...]) -> R:
        self._refuse_copy()
        plan = self._plan(values)
        cursor = RawCursor(conn, row_factory=tuple_row)
        try:
            self._execute(conn, cursor, plan.text, plan.pick(values))
            if self._has_rows(cursor, values):
                return self._from_rows(cursor, plan, cursor.fetchall())
            return self._from_count(cursor, values)
        except psycopg.Error as exc:
            self._raise(exc, plan, conn, cursor=cursor)

    def _execute(
        self,
        conn: Connection[Any],
        cursor: RawCursor[Any],
        text: LiteralString,
        arguments: Sequence[Any],
    ) -> None:
        _make_ready(conn)
        if conn.pgconn.pipeline_status != PipelineStatus.OFF:
            # The inner pipeline's end is a sync: the result is there when the call returns.
            with conn.pipeline():
                cursor.execute(text, arguments)
            return
        before = conn.pgconn.transaction_status
        try:
            cursor.execute(text, arguments)
        except psycopg.errors.FeatureNotSupported as exc:
            if before != TransactionStatus.IDLE or not _is_outdated(exc):
                raise
            # Nothing but this statement is in the transaction, if there is one: begin again.
            conn.rollback()
            _forget_statements(conn)
            cursor.execute(text, arguments)

    async def _run_async(self, conn: AsyncConnection[Any], values: tuple[Any, ...]) -> R:
        self._refuse_copy()
        plan = self._plan(values)
        cursor = AsyncRawCursor(conn, row_factory=tuple_row)
        try:
            await self._execute_async(conn, cursor, plan.text, plan.pick(values))
            if self._has_rows(cursor, values):
                return self._from_rows(cursor, plan, await cursor.fetchall())
            return self._from_count(cursor, values)
        except psycopg.Error as exc:
            self._raise(exc, plan, conn, cursor=cursor)

    async def _execute_async(
        self,
        conn: AsyncConnection[Any],
        cursor: AsyncRawCursor[Any],
        text: LiteralString,
        arguments: Sequence[Any],
    ) -> None:
        if _outdated and conn in _outdated:
            await _forget_statements_async(conn)
        if conn.pgconn.pipeline_status != PipelineStatus.OFF:
            async with conn.pipeline():
                await cursor.execute(text, arguments)
            return
        before = conn.pgconn.transaction_status
        try:
            await cursor.execute(text, arguments)
        except psycopg.errors.FeatureNotSupported as exc:
            if before != TransactionStatus.IDLE or not _is_outdated(exc):
                raise
            await conn.rollback()
            await _forget_statements_async(conn)
            await cursor.execute(text, arguments)

    def _stream(self, conn: Connection[Any], values: tuple[Any, ...]) -> Generator[Any, None, None]:
        plan = self._plan(values)
        name = _cursor_name()
        before = 0
        with contextlib.ExitStack() as stack:
            try:
                _make_ready(conn)
                if _needs_transaction(conn):
                    stack.enter_context(conn.transaction())
                cursor = RawServerCursor(conn, name, row_factory=tuple_row)
                with cursor, self._readable(cursor, lambda: before):
                    cursor.execute(plan.text, plan.pick(values))
                    while rows := cursor.fetchmany(STREAM_SIZE):
                        yield from self._load(cursor, plan, rows, before)
                        before += len(rows)
            except psycopg.Error as exc:
                self._raise(exc, plan, conn, prefix=_declaration(name))
            except GeneratorExit:
                # Left early, which is no failure: what else ran in the transaction is committed.
                return

    async def _stream_async(
        self, conn: AsyncConnection[Any], values: tuple[Any, ...]
    ) -> AsyncGenerator[Any, None]:
        plan = self._plan(values)
        name = _cursor_name()
        before = 0
        async with contextlib.AsyncExitStack() as stack:
            try:
                if _needs_transaction(conn):
                    await stack.enter_async_context(conn.transaction())
                cursor = AsyncRawServerCursor(conn, name, row_factory=tuple_row)
                async with cursor:
                    with self._readable(cursor, lambda: before):
                        await cursor.execute(plan.text, plan.pick(values))
                        while rows := await cursor.fetchmany(STREAM_SIZE):
                            for row in self._load(cursor, plan, rows, before):
                                yield row
                            before += len(rows)
            except psycopg.Error as exc:
                self._raise(exc, plan, conn, prefix=_declaration(name))
            except GeneratorExit:
                return

    def _batch(
        self, conn: Connection[Any], bound: Sequence[tuple[_Plan, tuple[Any, ...]]]
    ) -> list[R]:
        cursors: list[RawCursor[Any]] = []
        if not bound:
            return []
        failure: psycopg.Error | None = None
        try:
            _make_ready(conn)
            with conn.pipeline():
                try:
                    for plan, values in bound:
                        cursor = RawCursor(conn, row_factory=tuple_row)
                        cursors.append(cursor)
                        cursor.execute(plan.text, plan.pick(values))
                except psycopg.Error as exc:
                    failure = exc
        except psycopg.Error as exc:
            failure = failure or exc
        if failure:
            self._raise_in_batch(failure, conn, bound, cursors)
        results: list[R] = []
        for (plan, values), cursor in zip(bound, cursors, strict=True):
            with self._row_of_batch(len(results) + 1, plan, conn):
                rows = cursor.fetchall() if self._has_rows(cursor, values) else None
                results.append(self._finished(cursor, plan, values, rows))
        return results

    async def _batch_async(
        self, conn: AsyncConnection[Any], bound: Sequence[tuple[_Plan, tuple[Any, ...]]]
    ) -> list[R]:
        cursors: list[AsyncRawCursor[Any]] = []
        if not bound:
            return []
        if _outdated and conn in _outdated:
            await _forget_statements_async(conn)
        failure: psycopg.Error | None = None
        try:
            async with conn.pipeline():
                try:
                    for plan, values in bound:
                        cursor = AsyncRawCursor(conn, row_factory=tuple_row)
                        cursors.append(cursor)
                        await cursor.execute(plan.text, plan.pick(values))
                except psycopg.Error as exc:
                    failure = exc
        except psycopg.Error as exc:
            failure = failure or exc
        if failure:
            self._raise_in_batch(failure, conn, bound, cursors)
        results: list[R] = []
        for (plan, values), cursor in zip(bound, cursors, strict=True):
            with self._row_of_batch(len(results) + 1, plan, conn):
                rows = await cursor.fetchall() if self._has_rows(cursor, values) else None
                results.append(self._finished(cursor, plan, values, rows))
        return results

    def _copy(self, conn: Connection[Any], rows: Iterable[Any]) -> int:
        plan = self._plan(())
        cursor = RawCursor(conn, row_factory=tuple_row)
        try:
            _make_ready(conn)
            with cursor.copy(plan.text) as copy, _having(conn):
                for row in self._copied(rows):
                    copy.write_row(row)
        except psycopg.Error as exc:
            self._raise(exc, plan, conn)
        except BaseException:
            _close_if_stuck(conn)
            raise
        return cursor.rowcount

    async def _copy_async(self, conn: AsyncConnection[Any], rows: Iterable[Any]) -> int:
        plan = self._plan(())
        cursor = AsyncRawCursor(conn, row_factory=tuple_row)
        try:
            async with cursor.copy(plan.text) as copy:
                for row in self._copied(rows):
                    await copy.write_row(row)
        except psycopg.Error as exc:
            self._raise(exc, plan, conn)
        except BaseException:
            _close_if_stuck(conn)
            raise
        return cursor.rowcount

    def _copied(self, rows: Iterable[Any]) -> Iterator[Sequence[Any]]:
        bind = row_binder(self.parameters, self.where)
        for number, row in enumerate(rows, 1):
            try:
                bound = bind(row)
            except ValidationError as exc:
                exc.add_note(f"in row {number} of the copy")
                raise
            yield bound

    # Reading what came back

    def _has_rows(self, cursor: _AnyCursor, values: tuple[Any, ...]) -> bool:
        """Tell whether the statement returned rows; refuse a number that was not promised."""
        result = cursor.pgresult
        if result is None:
            raise psycopg.InterfaceError(
                f"{self.name} ran amid the batch that another task or thread sends through this "
                "connection: give each its own"
            )
        if result.status != ExecStatus.TUPLES_OK:
            return False
        size = self.result.size
        rows = result.ntuples
        if size is Size.NONE:
            if result.nfields != 1 or result.ftype(0) != VOID:
                raise self._mismatch("returns rows, but its function returns None")
            return False
        if size is Size.MANY or rows == 1:
            return True
        if rows > 1:
            raise TooManyRowsError(
                f"{self.name} found {rows} rows{self._for(values)}, where one is promised",
                where=self.where,
            )
        if size is Size.ONE:
            raise self._no_row(values)
        return True

    def _finished(
        self,
        cursor: _AnyCursor,
        plan: _Plan,
        values: tuple[Any, ...],
        rows: Sequence[tuple[Any, ...]] | None,
    ) -> R:
        if rows is None:
            return self._from_count(cursor, values)
        return self._from_rows(cursor, plan, rows)

    def _from_rows(self, cursor: _AnyCursor, plan: _Plan, rows: Sequence[tuple[Any, ...]]) -> R:
        loaded = self._load(cursor, plan, rows, 0)
        if self.result.size is Size.MANY:
            return cast(R, loaded)
        return cast(R, loaded[0] if loaded else None)

    def _from_count(self, cursor: _AnyCursor, values: tuple[Any, ...]) -> R:
        if self.result.size is not Size.NONE and not self.result.counts:
            raise self._mismatch("returns no rows, but its function promises some")
        if self._missing and cursor.rowcount == 0:
            raise self._no_row(values)
        if not self.result.counts:
            return cast(R, None)
        if cursor.rowcount < 0:
            raise self._mismatch("affects no rows that could be counted, but returns int")
        return cast(R, cursor.rowcount)

    def _load(
        self, cursor: _AnyCursor, plan: _Plan, rows: Sequence[tuple[Any, ...]], before: int
    ) -> list[Any]:
        reader = plan.reader
        kinds = tuple(map(type, rows[0])) if len(rows) == 1 and not before else None
        if reader and kinds in reader.kinds:
            return reader.load(rows, before)
        result = cursor.pgresult
        assert result is not None
        fields = range(result.nfields)
        shape = (*map(result.fname, fields), *map(result.ftype, fields))
        if reader is None or reader.shape != shape:
            columns = [
                ResultColumn((result.fname(i) or b"").decode(errors="replace"), result.ftype(i))
                for i in fields
            ]
            load = self.result.loader(columns, cursor.adapters, self.name, self.where)
            reader = plan.reader = _Reader(shape, load)
        if kinds and not self.statement.has_star and len(reader.kinds) < MAX_KINDS:
            reader.kinds.add(kinds)
        return reader.load(rows, before)

    @contextlib.contextmanager
    def _readable(self, cursor: _AnyCursor, before: Callable[[], int]) -> Generator[None]:
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
            hint=f"Change the statement, or the return type of {place_of(self.function)}",
        )

    def _no_row(self, values: tuple[Any, ...]) -> Exception:
        message = f"{self.name} found no row{self._for(values)}"
        return made(self._missing or NotFoundError, message, self.where)

    def _for(self, values: tuple[Any, ...]) -> str:
        """Name the arguments that are keys; others may be long, or nobody's business."""
        shown = [
            f"{parameter.name}={_shortened(value)}"
            for parameter, value in zip(self.parameters, values, strict=True)
            if parameter.is_key and value is not None and value is not UNSET
        ]
        return f" for {', '.join(shown)}" if shown else ""

    def _raise(
        self,
        exc: psycopg.Error,
        plan: _Plan,
        conn: object,
        *,
        prefix: str = "",
        cursor: _AnyCursor | None = None,
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
        if _is_outdated(exc):
            _outdated.add(conn)
            exc.add_note(
                "A table changed under this connection's prepared statements. Roll back and run "
                "the transaction again: they are prepared anew."
            )
        error = self._translate(exc, where=where, parameters=plan.variant.parameters)
        if excerpt or error is exc:
            error.add_note(f"{self.name} at {where}{excerpt}")
        if error is exc:
            raise exc
        raise error from exc

    def _raise_in_batch(
        self,
        exc: psycopg.Error,
        conn: object,
        bound: Sequence[tuple[_Plan, tuple[Any, ...]]],
        cursors: Sequence[_AnyCursor],
    ) -> NoReturn:
        """Raise the error of a pipeline; if it is the server's, its row is the first unanswered."""
        if exc.sqlstate is None:
            self._raise(exc, bound[0][0], conn)
        failed = next((i for i, cursor in enumerate(cursors) if cursor.pgresult is None), 0)
        with self._row_of_batch(failed + 1, bound[failed][0], conn):
            raise exc

    @contextlib.contextmanager
    def _row_of_batch(self, number: int, plan: _Plan, conn: object) -> Generator[None]:
        try:
            try:
                yield
            except psycopg.Error as exc:
                self._raise(exc, plan, conn)
        except Exception as exc:
            exc.add_note(f"in row {number} of the batch")
            raise


def _refuse_stranger(conn: object) -> None:
    if not isinstance(conn, AsyncConnection):
        raise TypeError(
            f"a query runs on a psycopg connection, not on a {type(conn).__name__}; "
            f"one of a Database comes from: with database.connection() as conn"
        )


def _picker(indexes: Sequence[int]) -> Callable[[tuple[Any, ...]], Sequence[Any]]:
    if len(indexes) > 1:
        return itemgetter(*indexes)
    return lambda values: [values[index] for index in indexes]


def _is_outdated(exc: psycopg.Error) -> bool:
    """Recognise "cached plan must not change result type", in whatever language it comes."""
    return exc.diag.source_function == "RevalidateCachedQuery"


def _make_ready(conn: Connection[Any]) -> None:
    if _copying and _copying.get(conn) == threading.get_ident():
        # It would wait for the copy, and the copy for it.
        raise psycopg.InterfaceError(
            "the connection is taken by the copy whose rows are made here: read from another "
            "connection, or before the copy"
        )
    if _outdated and conn in _outdated:
        _forget_statements(conn)


@contextlib.contextmanager
def _having(conn: Connection[Any]) -> Generator[None]:
    """Note that a copy has the connection for itself."""
    _copying[conn] = threading.get_ident()
    try:
        yield
    finally:
        del _copying[conn]


def _close_if_stuck(conn: Connection[Any] | AsyncConnection[Any]) -> None:
    """Close a connection whose copy was broken off as it began: psycopg leaves it half begun.

    If another thread or task has the connection, it is that one's.
    """
    if conn.pgconn.transaction_status == TransactionStatus.ACTIVE and not conn.lock.locked():
        conn.pgconn.finish()


def _forget_statements(conn: Connection[Any]) -> None:
    RawCursor(conn).execute("deallocate all")
    _outdated.discard(conn)


async def _forget_statements_async(conn: AsyncConnection[Any]) -> None:
    await AsyncRawCursor(conn).execute("deallocate all")
    _outdated.discard(conn)


def _needs_transaction(conn: Connection[Any] | AsyncConnection[Any]) -> bool:
    return conn.autocommit and conn.pgconn.transaction_status == TransactionStatus.IDLE


def _cursor_name() -> str:
    return f"taskdb_{next(_cursor_numbers)}"


def _declaration(name: str) -> str:
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
