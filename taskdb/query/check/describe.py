"""Description of a statement before it runs: parameters, columns, NULLs, tables.

`describe` has the statement parsed and analysed (Parse and Describe of the protocol); nothing
is executed. The analysed tree comes back as debug output; its format is internal, so it is
read on the major versions below only, and on others every column "may be NULL".
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from psycopg import Connection, InterfaceError
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from taskdb.query.catalogue import checks
from taskdb.query.catalogue.checks import Relation
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.comparisons import TableColumn, compared_columns, written_columns
from taskdb.query.check.insides import Inside, insides, type_of
from taskdb.query.check.nodetree import Node, NodeTreeError, Tree, parse
from taskdb.query.check.nullability import Nullability, Verdict, may, visible
from taskdb.query.check.rowcount import at_most_one_row
from taskdb.query.check.scopes import SELECT
from taskdb.query.check.traps import sorting_parameters, writes_every_row

__all__ = [
    "TESTED_MAJORS",
    "Arbiter",
    "Column",
    "Description",
    "ServerParameter",
    "describe",
    "inside_transaction",
]

# The major versions whose trees the analysis was tested on.
TESTED_MAJORS: Final = frozenset({15, 16, 17, 18})

_COMMANDS = {1: "select", 2: "update", 3: "insert", 4: "delete", 5: "merge"}
_TITLE = b"rewritten parse tree:"
_SELECT_PRIVILEGE = 2
_PRIVILEGES = {1: "insert", _SELECT_PRIVILEGE: "select", 4: "update", 8: "delete"}
_TABLE_KINDS = ("r", "p", "m", "f")
_VIEW = "v"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the result. Its origin is the table's column it shows, where it is just that.

    `inside` are the rows in it, as far as the statement makes them; None says nothing of it.
    `declared_oid` is its type by the tree, which may be a domain where `type_oid` is not; 0 is
    unknown.
    """

    name: str
    type_oid: int
    type_modifier: int
    table_oid: int | None
    table_column: int | None
    nullable: bool
    reason: str
    inside: Inside | None = None
    declared_oid: int = 0


@dataclass(frozen=True, slots=True)
class ServerParameter:
    """A parameter, `$1` having number 1."""

    number: int
    type_oid: int


class Arbiter(NamedTuple):
    """The index by which an INSERT knows a conflict: its schema and table, and its name."""

    schema: str
    relation: str
    index_name: str


@dataclass(frozen=True, slots=True)
class Description:
    """Description of a statement.

    `tables_read` and `tables_written` are those the statement names itself, through views and
    CTEs; what triggers, functions and foreign keys touch is not among them. Partitions and
    children stand behind their parent's name. `at_most_one_row` says that no more rows can
    come back (or, without RETURNING, be written). `compared` has the column that a parameter is
    compared with, by the parameter's number, `written` those that it is written to. `needs` are
    the privileges that who runs it must have, each with its relation; what views do, their owners
    must. `arbiters` are the indexes by which it knows a conflict, where it was planned;
    `sorted_by` are parameters by which alone ORDER BY sorts; `writes_every_row` says that an
    UPDATE or DELETE has no condition, `gives_a_row` that there is one row at least. All are empty
    for utility statements, of which CALL alone is known to give one row, and on versions of
    PostgreSQL that are not among TESTED_MAJORS.
    """

    command: str
    columns: tuple[Column, ...]
    parameters: tuple[ServerParameter, ...]
    at_most_one_row: bool = False
    tables_read: tuple[Relation, ...] = ()
    tables_written: tuple[Relation, ...] = ()
    views: tuple[Relation, ...] = ()
    compared: Mapping[int, TableColumn] = field(default_factory=dict[int, TableColumn])
    written: Mapping[int, tuple[TableColumn, ...]] = field(
        default_factory=dict[int, tuple[TableColumn, ...]]
    )
    needs: tuple[tuple[str, Relation], ...] = ()
    arbiters: tuple[Arbiter, ...] = ()
    sorted_by: tuple[int, ...] = ()
    writes_every_row: bool = False
    gives_a_row: bool = False


def describe(
    conn: Connection,
    sql: str,
    *,
    parameters_not_null: Collection[int] = (),
    items_not_null: Collection[int] = (),
    catalogue: Catalogue | None = None,
) -> Description:
    """Describe *sql*, one statement with parameters `$1`, `$2`, ..., without running it.

    *parameters_not_null* are numbers of parameters that are never NULL, *items_not_null* of arrays
    in which nothing is. A *catalogue* passed to several calls is asked only once for each thing.

    The connection is left as it was: idle or in its transaction, all settings as before.
    Raises what PostgreSQL says of the statement (`psycopg.Error`), and
    `psycopg.InterfaceError` when the connection is in a failed transaction or in pipeline mode.
    Who may set `log_min_messages` (a superuser) leaves nothing in the server's log; of others
    the log keeps the statement's tree.
    """
    _refuse_unusable(conn)
    known = catalogue or Catalogue()
    with inside_transaction(conn):
        with _notices(conn.pgconn) as notices, conn.transaction(force_rollback=True):
            checks.print_rewritten_trees(conn)
            notices.clear()
            described = _parse_and_describe(conn, sql)
            trees = [
                detail.decode("utf-8", "replace") for title, detail in notices if title == _TITLE
            ]
        major = conn.info.server_version // 10_000
        tree, problem = _read(trees, described, major)
        if tree is not None:
            known.load(conn, trees[-1])
    if tree is None:
        is_call = _is_call(sql)
        return Description(
            "utility",
            _unjudged(described, problem),
            described.parameters,
            at_most_one_row=is_call,
            gives_a_row=is_call,
        )
    read, written, views = (_relations(oids, known) for oids in _tables(tree.queries))
    command = _COMMANDS[tree.nodes[0].integer("commandType")]
    query = None if problem else tree.nodes[0]
    judge = Nullability(query, known, parameters_not_null, items_not_null) if query else None
    return Description(
        command,
        _judged(described, judge) if judge else _unjudged(described, problem),
        described.parameters,
        query is not None and at_most_one_row(query, known),
        read,
        written,
        views,
        compared_columns(tree) if described.parameters else {},
        written_columns(tree) if described.parameters else {},
        tuple(_needs(tree.queries, known)),
        sorted_by=sorting_parameters(tree, known),
        writes_every_row=writes_every_row(tree, known),
        gives_a_row=judge is not None and judge.gives_a_row(judge.scope),
    )


def _refuse_unusable(conn: Connection) -> None:
    if conn.pgconn.pipeline_status != PipelineStatus.OFF:
        raise InterfaceError("can't describe a statement in pipeline mode; leave it first")
    if conn.pgconn.transaction_status == TransactionStatus.INERROR:
        raise InterfaceError("can't describe a statement in a failed transaction; roll it back")


def inside_transaction(conn: Connection) -> AbstractContextManager[object]:
    """A transaction that ends again, for a connection that is in none."""
    if conn.pgconn.transaction_status == TransactionStatus.IDLE:
        return conn.transaction(force_rollback=True)
    return nullcontext()


@contextmanager
def _notices(pgconn: PGconn) -> Generator[list[tuple[bytes, bytes]]]:
    """Take the connection's notices, each a message and its detail, away from its handlers."""
    taken: list[tuple[bytes, bytes]] = []

    def take(result: PGresult) -> None:
        message = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b""
        taken.append((message, result.error_field(DiagnosticField.MESSAGE_DETAIL) or b""))

    before = pgconn.notice_handler
    pgconn.notice_handler = take
    try:
        yield taken
    finally:
        pgconn.notice_handler = before


@dataclass(frozen=True, slots=True)
class _Described:
    parameters: tuple[ServerParameter, ...]
    columns: tuple[tuple[str, int, int, int, int], ...]


def _parse_and_describe(conn: Connection, sql: str) -> _Described:
    encoding = conn.info.encoding
    _succeeded(conn.pgconn.prepare(b"", sql.encode(encoding)), encoding)
    result = _succeeded(conn.pgconn.describe_prepared(b""), encoding)
    parameters = tuple(
        ServerParameter(number + 1, result.param_type(number)) for number in range(result.nparams)
    )
    columns = tuple(
        (
            (result.fname(number) or b"").decode(encoding),
            result.ftype(number),
            result.fmod(number),
            result.ftable(number),
            result.ftablecol(number),
        )
        for number in range(result.nfields)
    )
    return _Described(parameters, columns)


def _succeeded(result: PGresult, encoding: str) -> PGresult:
    if result.status != ExecStatus.COMMAND_OK:
        raise error_from_result(result, encoding=encoding)
    return result


def _read(trees: list[str], described: _Described, major: int) -> tuple[Tree | None, str]:
    """The tree of the statement, if it can be read, and what hinders judging by it, if anything."""
    if major not in TESTED_MAJORS:
        return None, f"the trees of PostgreSQL {major} are not known yet"
    if not trees:
        return None, "PostgreSQL sent no tree of the statement"
    try:
        # The last of several is the one that was described. The server analyses the statement again
        # if a table changed after Parse, or if it may have missed such a change.
        tree = parse(trees[-1])
        command = tree.nodes[0].integer("commandType")
        if command not in _COMMANDS:
            return None, "it is a utility statement"
        returned = tree.nodes[0].nodes("targetList" if command == SELECT else "returningList")
    except NodeTreeError as exc:
        return None, f"PostgreSQL's tree of the statement is not understood: {exc}"
    if len(tree.nodes) > 1:
        return tree, f"rules make {len(tree.nodes)} queries of the statement"
    if sum(not entry.flag("resjunk") for entry in returned) != len(described.columns):
        return tree, "PostgreSQL's tree has other columns than its description"
    return tree, ""


def _is_call(sql: str) -> bool:
    """Return whether *sql* calls a procedure, which gives one row where it gives any."""
    return sql.lstrip()[:4].lower() == "call"


def _unjudged(described: _Described, problem: str) -> tuple[Column, ...]:
    return _columns(described, [may(problem)] * len(described.columns))


def _judged(described: _Described, nullability: Nullability) -> tuple[Column, ...]:
    columns = tuple(
        replace(each, declared_oid=type_of(entry.node("expr")))
        for each, entry in zip(
            _columns(described, nullability.columns()), visible(nullability.scope), strict=True
        )
    )
    found = insides(nullability)
    return tuple(replace(each, inside=one) for each, one in zip(columns, found, strict=True))


def _columns(described: _Described, verdicts: list[Verdict]) -> tuple[Column, ...]:
    return tuple(
        Column(name, oid, modifier, table or None, number or None, one.nullable, one.reason)
        for (name, oid, modifier, table, number), one in zip(
            described.columns, verdicts, strict=True
        )
    )


def _tables(queries: list[Node]) -> tuple[set[int], set[int], set[int]]:
    """The OIDs of tables read, tables written, and views gone through, at all levels."""
    read: set[int] = set()
    written: set[int] = set()
    views: set[int] = set()
    for level in queries:
        result = level.integer("resultRelation")
        for index, entry in enumerate(level.nodes("rtable"), start=1):
            oid = entry.integer("relid") if entry.has("relid") else 0
            kind = entry.text("relkind") if oid else ""
            if index == result:
                written.add(oid)
            if kind == _VIEW:
                views.add(oid)
            elif kind in _TABLE_KINDS and (index != result or _is_read(level, entry)):
                read.add(oid)
    return read, written, views


def _needs(queries: list[Node], catalogue: Catalogue) -> Iterator[tuple[str, Relation]]:
    """The privileges that are asked of who runs the statement, and not of a view's owner."""
    bits: dict[int, int] = {}
    for level in queries:
        # Since 16 they stand in a list of their own.
        for entry in level.nodes("rteperminfos") or level.nodes("rtable"):
            if entry.has("requiredPerms") and not entry.integer("checkAsUser"):
                oid = entry.integer("relid") if entry.has("relid") else 0
                bits[oid] = bits.get(oid, 0) | entry.integer("requiredPerms")
    for oid, needed in bits.items():
        relation = catalogue.relation(oid)
        if relation is not None:
            yield from ((name, relation) for bit, name in _PRIVILEGES.items() if needed & bit)


def _is_read(level: Node, entry: Node) -> bool:
    """Return whether a table that is written is also read, by WHERE, SET or RETURNING."""
    if entry.has("requiredPerms"):
        needed = entry.integer("requiredPerms")
    else:
        number = entry.integer("perminfoindex")
        needed = level.nodes("rteperminfos")[number - 1].integer("requiredPerms")
    return bool(needed & _SELECT_PRIVILEGE)


def _relations(oids: set[int], catalogue: Catalogue) -> tuple[Relation, ...]:
    found = [relation for oid in oids if (relation := catalogue.relation(oid))]
    return tuple(sorted(found, key=lambda one: (one.schema, one.name)))
