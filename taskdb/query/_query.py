"""A query as its callers see it: a function with the signature of its stub, sync and async."""

from __future__ import annotations

import functools
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
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast, overload

from psycopg import AsyncConnection, Connection

from taskdb.query._decisions import BatchRow, Decisions, place_of
from taskdb.query._parameters import Parameter, binder
from taskdb.query._results import Cardinality, Result
from taskdb.query._statements import Statement, Variant
from taskdb.query._waiting import batch, copy, run, stream
from taskdb.query._waiting_async import batch_async, copy_async, run_async, stream_async

__all__ = ["Query"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# `__doc__` is made when it is asked for.
_ASSIGNED: Final = tuple(name for name in functools.WRAPPER_ASSIGNMENTS if name != "__doc__")


class _Documentation:
    """`__doc__`: of the class its own, of a query made when somebody asks."""

    def __init__(self, of_class: str | None) -> None:
        self._of_class = of_class

    def __get__(self, query: Query[Any, Any] | None, owner: object) -> str | None:
        if query is None:
            return self._of_class
        from taskdb.query._help import documentation

        return documentation(query)


class _Signature:
    """`__signature__`: of a query as it is called; the class has none."""

    def __get__(self, query: Query[Any, Any] | None, owner: object) -> object:
        if query is None:
            return None
        from taskdb.query._help import signature_of

        return signature_of(query.function)


@dataclass(slots=True)
class Runners:
    """The functions that run queries. `taskdb.otel` puts its own before them."""

    run: Callable[..., Any] = run
    run_async: Callable[..., Coroutine[Any, Any, Any]] = run_async
    stream: Callable[..., Generator[Any, None, None]] = stream
    stream_async: Callable[..., AsyncGenerator[Any, None]] = stream_async
    batch: Callable[..., list[Any]] = batch
    batch_async: Callable[..., Coroutine[Any, Any, list[Any]]] = batch_async
    copy: Callable[..., int] = copy
    copy_async: Callable[..., Coroutine[Any, Any, int]] = copy_async


runners: Final = Runners()


class Query(Generic[P, R]):
    """A named statement with the signature of its stub.

    Call it with a psycopg connection and the stub's arguments; with an AsyncConnection the
    result is awaited. `name` is "tasks.list_tasks", `where` its place in the `.sql` file, `tag`
    the comment in each of its variants, and `statement`, `parameters`, `result` and the package's
    `types` are what `taskdb check` compares with the database.

    Every call may raise ValidationError for an argument, NotFoundError (or what `not_found=`
    named) and TooManyRowsError for the number of rows, QueryDefinitionError where columns and
    return type do not fit, what the `Queries` make of a server's error, and
    psycopg's own errors with a note of the file, line and column.
    """

    # For help(), inspect and editors: what one writes to call it.
    __doc__ = cast("str | None", _Documentation(__doc__))
    __signature__ = _Signature()

    def __init__(
        self,
        function: Callable[P, R],
        statement: Statement,
        *,
        area: str,
        application: str,
        parameters: Sequence[Parameter],
        result: Result,
        not_found: type[Exception] | None,
        translate: Callable[..., Exception],
        types: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        functools.update_wrapper(self, function, _ASSIGNED)
        self.function = function
        self.statement = statement
        self.name = f"{area}.{statement.name}"
        self.parameters = tuple(parameters)
        self.result = result
        self.types = types
        self.tag = f"/* {application}:{self.name} */"
        self._bind = binder(function, parameters, statement.where)
        self._decisions = Decisions(
            statement,
            name=self.name,
            tag=self.tag,
            called_at=place_of(function),
            bind=self._bind,
            parameters=parameters,
            result=result,
            not_found=not_found,
            translate=translate,
        )

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
    def required(self) -> frozenset[str]:
        """The names of the parameters that are never left out."""
        return frozenset(
            each.name for each in self.parameters if not (each.nullable or each.unsettable)
        )

    @property
    def doc(self) -> str:
        """The comment below its name in the `.sql` file."""
        return self.statement.doc

    @property
    def plans(self) -> tuple[str, ...]:
        """The texts of its `-- plan:` lines."""
        return self.statement.plans

    def variants(self) -> Iterator[Variant]:
        """Yield every text it may send: each combination of its conditions that can be."""
        return self.statement.variants(self.tag, self.required)

    def sql(self, **present: object) -> str:
        """Return the text it sends when the conditional arguments *present* are given.

        Only the names count: `list_tasks.sql(status=True)` has the lines of `:status` in it; and
        the values of those that choose: `list_tasks.sql(by="title")`.
        Raises ValueError for a name or value without a line.
        """
        names = {each.argument: each.name for each in self.parameters}
        given = {names.get(argument, argument): value for argument, value in present.items()}
        return self.statement.variant(self.statement.facts(given), self.tag).text

    @overload
    def __call__(self, conn: Connection[Any], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(
        self, conn: AsyncConnection[Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    def __call__(
        self,
        conn: Connection[Any] | AsyncConnection[Any] = cast("Any", None),  # noqa: B008
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R | Coroutine[Any, Any, R]:
        """Run the statement and return what the stub promises."""
        if isinstance(conn, Connection):
            return runners.run(self._decisions, conn, self._bind(*args, **kwargs))  # type: ignore[no-any-return]
        _refuse_stranger(conn, self.name)
        return runners.run_async(self._decisions, conn, self._bind(*args, **kwargs))

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
        conn: Connection[Any] | AsyncConnection[Any] = cast("Any", None),  # noqa: B008
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
        _refuse_stranger(conn, f"{self.name}.stream")
        if self.result.cardinality is not Cardinality.MANY:
            raise TypeError(f"{self.name} returns no list: there is nothing to stream")
        self._decisions.refuse_copy()
        if self.statement.writes:
            raise TypeError(f"{self.name} writes, and a cursor only reads: call it without .stream")
        if isinstance(conn, Connection):
            return runners.stream(self._decisions, conn, self._bind(*args, **kwargs))
        return runners.stream_async(self._decisions, conn, self._bind(*args, **kwargs))

    def row(self, *args: P.args, **kwargs: P.kwargs) -> BatchRow[P]:
        """Return one row for `batch`, with the arguments of a call. Raises ValidationError."""
        return BatchRow(self.name, self._bind(*args, **kwargs))

    @overload
    def batch(
        self, conn: Connection[Any], rows: Iterable[Mapping[str, Any] | BatchRow[P]], /
    ) -> list[R]: ...
    @overload
    def batch(
        self, conn: AsyncConnection[Any], rows: Iterable[Mapping[str, Any] | BatchRow[P]], /
    ) -> Coroutine[Any, Any, list[R]]: ...
    def batch(
        self,
        conn: Connection[Any] | AsyncConnection[Any] = cast("Any", None),  # noqa: B008
        rows: Iterable[Mapping[str, Any] | BatchRow[P]] = (),
        /,
    ) -> list[R] | Coroutine[Any, Any, list[R]]:
        """Run the statement once for each of *rows*: `row(...)`, or parameters with arguments.

        A row made by `row` is seen by type checkers as a call is; a mapping is not.

        All are checked first, then sent in one pipeline, without waiting for one another. The
        results come in the same order. An error names the row, and none after it has run; what
        ran before it is the transaction's to undo (on an autocommit connection the whole
        pipeline is one transaction).
        """
        _refuse_stranger(conn, f"{self.name}.batch")
        self._decisions.refuse_copy()
        bound = [self._decisions.bind_row(number, row) for number, row in enumerate(rows, 1)]
        if isinstance(conn, Connection):
            return runners.batch(self._decisions, conn, bound)
        return runners.batch_async(self._decisions, conn, bound)

    @overload
    def copy(self, conn: Connection[Any], rows: Iterable[Any], /) -> int: ...
    @overload
    def copy(
        self, conn: AsyncConnection[Any], rows: Iterable[Any], /
    ) -> Coroutine[Any, Any, int]: ...
    def copy(
        self,
        conn: Connection[Any] | AsyncConnection[Any] = cast("Any", None),  # noqa: B008
        rows: Iterable[Any] = (),
        /,
    ) -> int | Coroutine[Any, Any, int]:
        """Send *rows* through `copy t (a, b) from stdin`; return how many there were.

        A row is a sequence in the order of the columns or a mapping by their names. Each value
        is checked against the stub's annotation on its way; a refused one ends the copy, and
        the transaction with it.
        """
        _refuse_stranger(conn, f"{self.name}.copy")
        if self.statement.copy_columns is None:
            raise TypeError(f"{self.name} is no copy statement")
        if isinstance(conn, Connection):
            return runners.copy(self._decisions, conn, rows)
        return runners.copy_async(self._decisions, conn, rows)


def _refuse_stranger(conn: object, name: str) -> None:
    if not isinstance(conn, Connection | AsyncConnection):
        given = "given first and by position"
        given = given if conn is None else f"not on a {type(conn).__name__}"
        raise TypeError(
            f"{name}(conn, ...) runs on a psycopg connection, {given}; "
            f"one of a Database comes from: with database.connection() as conn"
        )
