"""All that a DBA may want to know of one query, and how to run it in psql."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg import Connection, RawCursor
from psycopg.rows import tuple_row

from taskdb.query._statements import Variant
from taskdb.query.check import plantree
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.contract import describe_all
from taskdb.query.check.describe import Description, describe
from taskdb.query.check.expectations import derive
from taskdb.query.check.findings import AnyQuery
from taskdb.query.check.plans import described
from taskdb.query.check.samples import find_arguments
from taskdb.query.check.servertypes import type_facts
from taskdb.query.errors import DatabaseError
from taskdb.query.expectations import Expectation, area_of

__all__ = ["Shown", "literal", "show"]

_PREPARED: Final = "taskdb_show"


@dataclass(frozen=True, slots=True)
class Shown:
    """One query: its places, its text as sent, its facts, and what to paste into psql.

    `arguments` are the given ones, and for the others some that exist; `psql_variables` let its
    file run as it is, `prepared` is the text with a plan of it. `named_indexes` are those of its
    `-- plan:` lines, `used_indexes` those of its plan in this database.
    """

    name: str
    sql_where: str
    python_where: str
    signature: str
    doc: str
    text: str
    facts: Expectation
    arguments: dict[str, str | None]
    psql_variables: list[str]
    prepared: list[str]
    named_indexes: list[str]
    used_indexes: list[str]
    plan: list[str]


def show(conn: Connection[Any], query: AnyQuery, given: Mapping[str, str]) -> Shown:
    """Return what there is to know of *query* in the database of *conn*; nothing is executed.

    With arguments *given*, as texts, its text is the one for them; without, the one with all its
    `-- if` lines. Raises DatabaseError where the server refuses the query.
    """
    facts = _facts(conn, query)
    kept = {name: value for name, value in given.items() if name in query.statement.conditional}
    variant = query.statement.whole(query.tag)
    if given:
        variant = query.statement.variant(query.statement.facts(kept), query.tag)
    arguments: dict[str, str | None] = dict.fromkeys(query.statement.parameters)
    prepared: list[str] = []
    plan: list[str] = []
    used: set[str] = set()
    if query.statement.copy_columns is None:
        known = described(conn, [query])
        found = find_arguments(conn, known)
        arguments |= dict(found[query.name].frequent) if found else {}
        arguments |= given
        types = _types(conn, variant)
        values = [arguments[name] for name in variant.parameters]
        prepared = _prepared(variant, types, values)
        if known:
            try:
                plan = [row[0] for row in _run(conn, f"explain {variant.text}", values)]
                (((json_plan, *_),),) = _run(conn, f"explain (format json) {variant.text}", values)
            except psycopg.Error as exc:
                raise _refused(query, exc) from exc
            used = plantree.read(json_plan["Plan"], {}).indexes
    return Shown(
        query.name,
        query.where,
        query.called_at,
        _signature(query),
        query.doc,
        variant.text,
        facts,
        {name: value for name, value in arguments.items() if name in query.statement.parameters},
        [f"\\set {name} {_for_psql(literal(value))}" for name, value in arguments.items()],
        prepared,
        list(query.plans),
        sorted(used),
        plan,
    )


def _refused(query: AnyQuery, exc: psycopg.Error) -> DatabaseError:
    """The error about arguments, given or found, of which the server makes no plan."""
    return DatabaseError(
        f"{query.name}: the server refuses its arguments: {exc.diag.message_primary or exc}",
        where=query.where,
        hint="Give others, as NAME=VALUE",
    )


def _facts(conn: Connection[Any], query: AnyQuery) -> Expectation:
    catalogue = Catalogue()
    described = describe_all(conn, [query], catalogue)
    refused = next((each.result for each in described if not _is_good(each.result)), None)
    if refused is not None:
        raise DatabaseError(str(refused))
    area, name = area_of(query)
    areas = derive(conn, [query], described, catalogue)
    if area not in areas:
        raise DatabaseError(f"{query.name} copies into a table that lacks its columns")
    return areas[area].queries[name]


def _is_good(result: object) -> bool:
    return isinstance(result, Description)


def _signature(query: AnyQuery) -> str:
    """The stub's signature as its author wrote it, or, without its source, as Python has it."""
    try:
        source = textwrap.dedent(inspect.getsource(query.function))
    except OSError:
        return f"def {query.statement.name}{inspect.signature(query.function)}"
    stub = ast.parse(source).body[0]
    assert isinstance(stub, ast.FunctionDef)
    returns = f" -> {ast.unparse(stub.returns)}" if stub.returns else ""
    return f"def {stub.name}({ast.unparse(stub.args)}){returns}"


def _types(conn: Connection[Any], variant: Variant) -> list[str]:
    seen = describe(conn, variant.text)
    facts = type_facts(conn, [seen])
    return [facts[parameter.type_oid].name for parameter in seen.parameters]


def _prepared(variant: Variant, types: Sequence[str], values: Sequence[str | None]) -> list[str]:
    """The statement, its plan and its end, each to be pasted. A text may end in a comment."""
    declared = f" ({', '.join(types)})" if types else ""
    passed = f" ({', '.join(map(literal, values))})" if values else ""
    return [
        f"prepare {_PREPARED}{declared} as\n{variant.text}\n;",
        f"explain execute {_PREPARED}{passed};",
        f"deallocate {_PREPARED};",
    ]


def literal(value: str | None) -> str:
    """Return *value* as SQL has it; it is sent as text, so a quoted literal means the same."""
    if value is None:
        return "null"
    quoted = "'" + value.replace("'", "''") + "'"
    return f" E{quoted}".replace("\\", "\\\\").strip() if "\\" in value else quoted


def _for_psql(text: str) -> str:
    """Return *text* as the argument of psql's \\set: in quotes, its own doubled."""
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"


def _run(conn: Connection[Any], statement: str, values: Sequence[str | None]) -> list[Any]:
    cursor = RawCursor(conn, row_factory=tuple_row)
    return cursor.execute(cast("LiteralString", statement), values, prepare=False).fetchall()
