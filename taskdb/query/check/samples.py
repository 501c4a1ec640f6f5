"""Realistic arguments for a query, found in the data: its plan is asked with them.

In this order an argument is

1. its default in the stub, if that is a value (`limit: int = 50`);
2. a value of the column that the statement compares the parameter with, taken from the planner's
   statistics: in one set of arguments a frequent one, in the other a rare one;
3. the same of the column of its name in a table that the statement reads;
4. something of its type, which its domain accepts. It is not compared with anything, so the plan
   does not hang on it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection
from psycopg.pq import ExecStatus

from taskdb.query._parameters import Parameter
from taskdb.query._query import Query
from taskdb.query.catalogue import plans
from taskdb.query.catalogue.contract import TypeFacts
from taskdb.query.catalogue.plans import ColumnSample
from taskdb.query.check.comparisons import TableColumn
from taskdb.query.check.describe import Description
from taskdb.query.check.servertypes import type_facts
from taskdb.query.rules import UNSET

__all__ = ["Arguments", "Described", "find_arguments"]

AnyQuery = Query[Any, Any]
Described = tuple[AnyQuery, Sequence[str], Description]
"""A query, the names of its parameters in the text that has them all, and what that text is."""

# By the server's number of a type: text that is a value of it.
_OF_TYPE: Final[Mapping[int, str]] = {
    16: "true",
    17: "\\x00",
    114: "{}",
    700: "0.5",
    701: "0.5",
    1082: "2000-01-01",
    1083: "12:00",
    1114: "2000-01-01",
    1184: "2000-01-01",
    1186: "5 minutes",
    2950: "00000000-0000-7000-8000-000000000000",
    3802: "{}",
    # jsonpath.
    4072: "$.a == 1",
}
# Further values, for a domain (one over JSON may want an array) and for types of any kind: ranges,
# arrays and multiranges, addresses, places, shapes.
_OTHERS: Final = (
    *("[]", "{}", "0", "empty", "10.0.0.1", "00:00:00:00:00:00", "00:00:00:00:00:00:00:00"),
    *("0/0", "(0,0)", "((0,0),(1,1))", "[(0,0),(1,1)]", "<(0,0),1>", "{1,1,0}", "1:1:", "12:00+00"),
    *("pg_class", '"a"=>"1"', "0 .. 1", "978-0-306-40615-7", "a@b.example", "A"),
)
_NUMBERS: Final = frozenset({20, 21, 23, 26, 1700})
# Types whose samples are texts: the elements of a text prepared for search are words.
_TEXTS: Final = frozenset({18, 19, 25, 1042, 1043, 3614})


@dataclass(frozen=True, slots=True)
class Arguments:
    """Two sets of arguments of a query, by name, as text; `rare` differs where it can."""

    frequent: Mapping[str, str]
    rare: Mapping[str, str]


def find_arguments(
    conn: Connection[Any], described: Mapping[str, Described]
) -> dict[str, Arguments]:
    """Return arguments for each query, by its name."""
    columns = {name: _columns(*each) for name, each in described.items()}
    samples = _samples(conn, (column for each in columns.values() for column in each.values()))
    types = type_facts(
        conn,
        (description for _, _, description in described.values()),
        {sample.type_oid for sample in samples.values()},
    )
    accepted = {
        oid: _accepted(conn, facts, types)
        for oid, facts in types.items()
        if facts.base_oid or _is_unusual(facts)
    }
    return {
        name: _arguments(each, columns[name], samples, types, accepted)
        for name, each in described.items()
    }


def _is_unusual(facts: TypeFacts) -> bool:
    known = facts.oid in _OF_TYPE or facts.oid in _NUMBERS | _TEXTS
    return not (known or facts.element_oid or facts.labels)


def _accepted(conn: Connection[Any], facts: TypeFacts, types: Mapping[int, TypeFacts]) -> str:
    """Something that a type takes, and the rules of a domain let pass, if anything tried is."""
    usual = _of_type(types[facts.base_oid or facts.oid], types, {})
    composite = f"({',' * (len(facts.field_oids) - 1)})"
    for value in (usual, *_OTHERS, composite):
        # A value of a domain's own type is held against its rules when it arrives.
        with conn.transaction(force_rollback=True):
            result = conn.pgconn.exec_params(b"select $1", [value.encode()], [facts.oid])
            if result.status == ExecStatus.TUPLES_OK:
                return value
    return usual


def _columns(
    query: AnyQuery, names: Sequence[str], description: Description
) -> dict[str, TableColumn]:
    """The column that each parameter is compared with, or else the one of the same name."""
    found: dict[str, TableColumn] = {}
    for number, name in enumerate(names, start=1):
        same = (
            (relation.oid, relation.columns.index(name) + 1)
            for relation in description.tables_read
            if name in relation.columns
        )
        column = description.compared.get(number) or next(same, None)
        if column is not None:
            found[name] = column
    return found


def _samples(
    conn: Connection[Any], columns: Iterable[TableColumn]
) -> dict[TableColumn, ColumnSample]:
    wanted = sorted(set(columns))
    rows: list[ColumnSample] = plans.column_samples(
        conn,
        relations=[relation for relation, _ in wanted],
        numbers=[number for _, number in wanted],
    )
    return {(row.relation, row.number): row for row in rows}


def _arguments(
    described: Described,
    columns: Mapping[str, TableColumn],
    samples: Mapping[TableColumn, ColumnSample],
    types: Mapping[int, TypeFacts],
    accepted: Mapping[int, str],
) -> Arguments:
    query, names, description = described
    parameters = {parameter.name: parameter for parameter in query.parameters}
    signature = inspect.signature(query.function)
    frequent: dict[str, str] = {}
    rare: dict[str, str] = {}
    for number, name in enumerate(names):
        facts = types[description.parameters[number].type_oid]
        parameter = parameters[name]
        default = _default(parameter, signature.parameters[parameter.argument].default)
        sample = samples.get(columns[name]) if name in columns else None
        if default is not None:
            frequent[name] = rare[name] = default
        elif sample is not None and _family(facts, types) == _family(types[sample.type_oid], types):
            frequent[name] = _of(facts, sample.frequent, types)
            rare[name] = _of(facts, sample.rare or sample.frequent, types)
        else:
            frequent[name] = rare[name] = _of_type(facts, types, accepted)
    return Arguments(frequent, rare)


def _default(parameter: Parameter, default: Any) -> str | None:
    """The stub's default as it is sent, or None if there is none that is a value."""
    if default is inspect.Parameter.empty or default is None or default is UNSET:
        return None
    encoded = parameter.encode(default)
    return encoded if isinstance(encoded, str) else None


def _family(facts: TypeFacts, types: Mapping[int, TypeFacts]) -> int:
    """The type of which a value of *facts*, or an element of it, can be read."""
    while inner := facts.base_oid or facts.element_oid:
        facts = types[inner]
    for family in (_NUMBERS, _TEXTS):
        if facts.oid in family:
            return min(family)
    return facts.oid


def _of(facts: TypeFacts, value: str, types: Mapping[int, TypeFacts]) -> str:
    """*value* as one of the parameter's type: in an array if that is one, or a domain over one."""
    while facts.base_oid:
        facts = types[facts.base_oid]
    return _array(value) if facts.element_oid and not value.startswith("{") else value


def _array(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{"{escaped}"}}'


def _of_type(facts: TypeFacts, types: Mapping[int, TypeFacts], accepted: Mapping[int, str]) -> str:
    if facts.oid in accepted:
        return accepted[facts.oid]
    if facts.base_oid:
        return _of_type(types[facts.base_oid], types, accepted)
    if facts.element_oid:
        return _array(_of_type(types[facts.element_oid], types, accepted))
    if facts.labels:
        return facts.labels[0]
    return "1" if facts.oid in _NUMBERS else _OF_TYPE.get(facts.oid, "x")
