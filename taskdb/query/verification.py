"""At a service's start: do the queries still fit the database they will run on?

`verify` has the live server parse and describe one text of each query, the one with all its
lines, and compares parameters, columns, types, enum labels, NOT NULLs, unique indexes and
privileges with the expectations of the package (`taskdb.query.expectations`). All goes in one
pipeline, each statement up to a Sync of its own, so that one that fails does not keep the others
from being looked at.
Nothing is executed but five questions to the catalogue, and nothing is planned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias, overload

import orjson
from psycopg import AsyncConnection, Connection, InterfaceError, OperationalError, generators
from psycopg.pq import DiagnosticField, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from taskdb.query._queries import Queries
from taskdb.query._query import Query
from taskdb.query._rowclasses import bare_name
from taskdb.query._statements import Variant
from taskdb.query.catalogue import expectations as catalogue
from taskdb.query.errors import Mismatch, QueryMismatchError
from taskdb.query.expectations import (
    REMEDY,
    Area,
    Expectation,
    Value,
    area_of,
    label_of,
    read,
    text_hash,
)

__all__ = ["verify"]

AnyQuery = Query[Any, Any]
_Results: TypeAlias = "Generator[Any, Any, list[list[PGresult]]]"

_SAVEPOINT: Final = b"savepoint taskdb_verify"
_BACK: Final = b"rollback to savepoint taskdb_verify"
_RELEASE: Final = b"release savepoint taskdb_verify"
_MENDING: Final = (
    "Is the database the one, and migrated (`taskdb migrate status`), and the role the one that "
    "was granted it? If the difference is meant, run `taskdb check --write`"
)


@overload
def verify(conn: Connection[Any], queries: Queries) -> None: ...
@overload
def verify(conn: AsyncConnection[Any], queries: Queries) -> Coroutine[Any, Any, None]: ...
def verify(
    conn: Connection[Any] | AsyncConnection[Any], queries: Queries
) -> Coroutine[Any, Any, None] | None:
    """Compare the database of *conn* with the expectations of *queries*.

    Raises QueryMismatchError, whose `mismatches` name each query that no longer fits, with its
    places and what differs. An idle connection stays idle, and in a transaction that is open
    all happens behind a savepoint; locks are given back. A transaction that has failed, where
    nothing can be parsed, and a connection in pipeline mode, whose results would get mixed up
    with these, are refused: psycopg.InterfaceError.

    What it can't see: NULLs behind joins, views and functions, and how many rows there are.
    `taskdb check` proves these of the schema that the migrations make.
    """
    verification = _Verification(queries)
    _refuse_unusable(conn)
    if isinstance(conn, Connection):
        with conn.lock:
            verification.take(conn.wait(verification.ask(conn.pgconn)))
            unknown = verification.unknown_types()
            names = conn.wait(verification.ask_names(conn.pgconn, unknown)) if unknown else []
        verification.report(names)
        return None
    return _verify_async(conn, verification)


async def _verify_async(conn: AsyncConnection[Any], verification: _Verification) -> None:
    async with conn.lock:
        verification.take(await conn.wait(verification.ask(conn.pgconn)))
        unknown = verification.unknown_types()
        names = await conn.wait(verification.ask_names(conn.pgconn, unknown)) if unknown else []
    verification.report(names)


def _refuse_unusable(conn: Connection[Any] | AsyncConnection[Any]) -> None:
    if conn.pgconn.pipeline_status != PipelineStatus.OFF:
        raise InterfaceError("can't verify queries in pipeline mode; leave it first")
    status = conn.pgconn.transaction_status
    if status == TransactionStatus.INERROR:
        raise InterfaceError("can't verify queries in a failed transaction; roll it back")
    if status not in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
        raise InterfaceError("can't verify queries on a connection that is closed or busy")


@dataclass(frozen=True, slots=True)
class _Question:
    """One thing to ask: a statement to describe, or a question to the catalogue to run."""

    text: bytes
    arguments: Sequence[bytes] | None = None

    def send(self, pgconn: PGconn) -> None:
        """Send it, up to a Sync of its own. (psycopg waits for room to write before it.)"""
        if self.arguments is not None:
            pgconn.send_query_params(self.text, self.arguments)
        else:
            pgconn.send_prepare(b"", self.text)
            pgconn.send_describe_prepared(b"")
        pgconn.pipeline_sync()


def _ask(pgconn: PGconn, questions: Sequence[_Question]) -> _Results:
    """Send all *questions* without waiting in between, and return what came back for each."""
    within = pgconn.transaction_status == TransactionStatus.INTRANS
    asked = _behind_savepoint(questions) if within else questions
    pgconn.enter_pipeline_mode()
    try:
        commands = deque(partial(each.send, pgconn) for each in asked)
        results = yield from generators.pipeline_communicate(pgconn, commands)
        yield from generators.send(pgconn)
        missing = len(asked) - sum(map(_is_sync, results))
        while missing:
            results.append((yield from generators.fetch_many(pgconn)))
            missing -= _is_sync(results[-1])
    except BaseException:
        # Broken off in the middle (Ctrl-C, a lost server): what is under way would be taken for
        # the answers to whatever is asked next.
        pgconn.finish()
        raise
    pgconn.exit_pipeline_mode()
    answers = list(_answers(results))
    return answers[1:-1:2] if within else answers


def _behind_savepoint(questions: Sequence[_Question]) -> list[_Question]:
    """Each question, and the way back from what it may have broken or locked."""
    asked = [_Question(_SAVEPOINT, ())]
    for question in questions:
        asked += [question, _Question(_BACK, ())]
    return [*asked, _Question(_RELEASE, ())]


def _is_sync(results: list[PGresult]) -> bool:
    return results[0].status == ExecStatus.PIPELINE_SYNC


def _answers(results: Iterable[list[PGresult]]) -> Iterator[list[PGresult]]:
    """Yield the results up to each Sync."""
    answer: list[PGresult] = []
    for each in results:
        if _is_sync(each):
            yield answer
            answer = []
        else:
            answer += each


class _Verification:
    """Verification of some queries: its questions, and the mismatches found."""

    def __init__(self, queries: Queries) -> None:
        self.queries = list(queries)
        self.areas = read(queries)
        self.mismatches: list[Mismatch] = list(self._unseen(queries))
        self.differing: list[tuple[AnyQuery, str, Value, int]] = []
        self.expected = dict(self._expected())
        self.texts: dict[str, Variant] = {}
        self.types: dict[str, int] = {}
        self.labels: dict[str, tuple[str, ...]] = {}
        self.rows: dict[str, tuple[str, ...]] = {}
        self.lacking: set[tuple[str, str]] = set()
        self.nullable: set[tuple[int, int]] = set()
        self.unique: set[str | None] = set()

    def _unseen(self, queries: Queries) -> Iterator[Mismatch]:
        """Yield a mismatch for each recorded query that no module here defines."""
        made = {query.name for query in self.queries}
        for area in self.areas.values():
            for name in area.queries:
                if f"{area.name}.{name}" not in made:
                    yield Mismatch(
                        f"{area.name}.{name}",
                        label_of(queries, area.name),
                        "no module that was imported",
                        "has expectations, but no function: import its module before",
                    )
        if not made:
            yield Mismatch(
                queries.name,
                queries.label,
                "no module that was imported",
                "no query has a function: import the modules of the stubs before",
            )

    def _expected(self) -> Iterator[tuple[str, tuple[AnyQuery, Expectation]]]:
        for query in self.queries:
            area, name = area_of(query)
            expected = self.areas.get(area, Area(area, {}, {})).queries.get(name)
            if expected is None:
                self._mismatch(query, f"has no expectations. {REMEDY}")
            elif expected.text != text_hash(query):
                self._mismatch(query, f"was edited since its expectations were written. {REMEDY}")
            else:
                yield query.name, (query, expected)

    def ask(self, pgconn: PGconn) -> _Results:
        """Ask everything: the types, the privileges, the NOT NULLs, and each query."""
        found = [each for _, each in self.expected.values()]
        names = {
            name
            for each in found
            for value in (*each.takes, *each.gives)
            for name in value.type.split(" or ")
        }
        names |= {name for area in self.areas.values() for name in (*area.labels, *area.rows)}
        needs = sorted({need for each in found for need in each.needs})
        tables = sorted({name for each in found for name in (*each.reads, *each.writes)})
        return _ask(
            pgconn,
            [
                _catalogue(catalogue.expected_types, sorted(names)),
                _catalogue(
                    catalogue.missing_privileges,
                    [need.relation for need in needs],
                    [need.privilege for need in needs],
                ),
                _catalogue(catalogue.nullable_columns, tables),
                _catalogue(
                    catalogue.unique_indexes,
                    sorted({_indexed(unique) for each in found for unique in each.unique}),
                ),
                *(self._question(query, each) for query, each in self.expected.values()),
            ],
        )

    def _question(self, query: AnyQuery, expected: Expectation) -> _Question:
        if query.statement.copy_columns is not None:
            return _catalogue(catalogue.copied_columns, expected.writes[0])
        return _Question(self._whole(query).text.encode())

    def _whole(self, query: AnyQuery) -> Variant:
        """The text of *query* with all its lines."""
        if query.name not in self.texts:
            self.texts[query.name] = query.statement.whole(query.tag)
        return self.texts[query.name]

    def take(self, answers: list[list[PGresult]]) -> None:
        """Compare the answers with what is expected."""
        types, privileges, columns, unique, *described = answers
        for name, oid, labels, fields in _rows(types):
            if oid is not None:
                self.types[name] = int(oid)
                self.labels[name] = tuple(orjson.loads(labels or "[]"))
                self.rows[name] = tuple(orjson.loads(fields or "[]"))
        self.lacking = {(privilege or "", relation) for relation, privilege in _rows(privileges)}
        self.unique = {definition for _, _, definition in _rows(unique)}
        self.nullable = {(int(oid or 0), int(number or 0)) for oid, number in _rows(columns)}
        for (query, expected), results in zip(self.expected.values(), described, strict=True):
            self._compare(query, expected, results)

    def _compare(self, query: AnyQuery, expected: Expectation, results: list[PGresult]) -> None:
        refused = next((each for each in results if each.status == ExecStatus.FATAL_ERROR), None)
        if refused is not None:
            self._refused(query, refused)
            return
        if query.statement.copy_columns is not None:
            self._compare_copy(query, expected, results)
        else:
            self._compare_described(query, expected, results[-1])
        self._compare_labels(query, expected)
        for need in expected.needs:
            if (need.privilege, need.relation) in self.lacking:
                self._mismatch(query, f"the role may not {need}")
        for unique in expected.unique:
            if unique not in self.unique:
                self._mismatch(query, f"on conflict finds no unique index on {unique}")

    def _refused(self, query: AnyQuery, result: PGresult) -> None:
        position = result.error_field(DiagnosticField.STATEMENT_POSITION)
        where = query.where
        if position:
            where = query.statement.source.where(self._whole(query).offset(int(position) - 1))
        message = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"it does not say why"
        self._mismatch(query, f"the server refuses it: {message.decode('utf-8', 'replace')}", where)

    def _compare_described(
        self, query: AnyQuery, expected: Expectation, described: PGresult
    ) -> None:
        takes = {value.name: value for value in expected.takes}
        for number, name in enumerate(self._whole(query).parameters):
            if name in takes:
                self._compare_type(query, f":{name}", takes[name], described.param_type(number))
        names = [
            bare_name((described.fname(number) or b"").decode("utf-8", "replace"))
            for number in range(described.nfields)
        ]
        wanted = [value.name for value in expected.gives]
        places = list(range(len(names)))
        if query.statement.has_star and set(wanted) <= set(names):
            # A newer schema may have more, which the loader passes over.
            places = [names.index(name) for name in wanted]
            names = wanted
        if names != wanted:
            self._mismatch(
                query,
                f"returns the columns {', '.join(names) or 'of nothing'}, "
                f"expected are {', '.join(wanted) or 'none'}",
            )
            return
        for number, value in zip(places, expected.gives, strict=True):
            self._compare_type(query, f"column {value.name}", value, described.ftype(number))
            origin = described.ftable(number), described.ftablecol(number)
            if value.not_null and not value.by_query and origin in self.nullable:
                self._mismatch(query, f"column {value.name} may be NULL, expected is NOT NULL")

    def _compare_copy(
        self, query: AnyQuery, expected: Expectation, results: list[PGresult]
    ) -> None:
        found = {name: int(oid or 0) for name, oid in _rows(results)}
        for value in expected.takes:
            if value.name in found:
                self._compare_type(query, f"column {value.name}", value, found[value.name])
            else:
                self._mismatch(
                    query, f"{expected.writes[0]} has no column {value.name} to copy into"
                )

    def _compare_type(self, query: AnyQuery, what: str, value: Value, oid: int) -> None:
        if oid not in {self.types.get(name) for name in value.type.split(" or ")}:
            self.differing.append((query, what, value, oid))

    def _compare_labels(self, query: AnyQuery, expected: Expectation) -> None:
        area = self.areas[area_of(query)[0]]
        values = (*expected.takes, *expected.gives, *expected.within)
        used = {value.type.removesuffix("[]") for value in values}
        for what, wanted, found in (
            ("labels", area.labels, self.labels),
            ("fields", area.rows, self.rows),
        ):
            for name in sorted(used & wanted.keys()):
                there = found.get(name, wanted[name])
                if there != wanted[name]:
                    self._mismatch(
                        query,
                        f"{name} has the {what} {', '.join(there)}, expected are "
                        f"{', '.join(wanted[name])}",
                    )

    def unknown_types(self) -> list[int]:
        """The types that came where others are expected: their names are still to be asked."""
        return sorted({oid for _, _, _, oid in self.differing})

    def ask_names(self, pgconn: PGconn, oids: Sequence[int]) -> _Results:
        """Ask what these types are called."""
        return _ask(pgconn, [_catalogue(catalogue.type_names, oids)])

    def report(self, answers: list[list[PGresult]]) -> None:
        """Raise QueryMismatchError if anything differs."""
        names = {int(oid or 0): name for oid, name in _rows(answers[0])} if answers else {}
        for query, what, value, oid in self.differing:
            message = f"{what} is {names.get(oid, 'of an unknown type')}, expected is {value.type}"
            self._mismatch(query, message)
        if self.mismatches:
            raise QueryMismatchError(self.mismatches, hint=_MENDING)

    def _mismatch(self, query: AnyQuery, message: str, where: str | None = None) -> None:
        self.mismatches.append(Mismatch(query.name, where or query.where, query.called_at, message))


def _indexed(unique: str) -> str:
    """The relation of a unique index, as the expectations write both."""
    return unique.partition(" (")[0]


def _catalogue(query: AnyQuery, *arguments: object) -> _Question:
    """A question to the catalogue, asked past the query's own call, which would wait for it."""
    values = [
        str(parameter.encode(value)).encode()
        for parameter, value in zip(query.parameters, arguments, strict=True)
    ]
    return _Question(query.sql().encode(), values)


def _rows(results: list[PGresult]) -> Iterator[list[Any]]:
    """Yield the rows of a question to the catalogue as texts. Raises what went wrong."""
    (result,) = results
    if result.status != ExecStatus.TUPLES_OK:
        raise OperationalError(result.get_error_message())
    for row in range(result.ntuples):
        values = (result.get_value(row, number) for number in range(result.nfields))
        yield [None if value is None else value.decode("utf-8", "replace") for value in values]
