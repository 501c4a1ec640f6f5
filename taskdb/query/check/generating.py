"""Stubs and row classes for named queries that have none, from what a database says of them.

What is written is a beginning: a module of its own for each file, or lines at the end of the one
that is there. Nothing that stands there already is changed but its imports.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import psycopg
from psycopg import Connection

from taskdb.query._combinations import MOST_COMBINATIONS
from taskdb.query._decisions import VOID
from taskdb.query._rowclasses import field_name, mark_of
from taskdb.query._statements import Statement, Variant
from taskdb.query._types import ServerType, TypeKind, sends
from taskdb.query.catalogue import checks, contract
from taskdb.query.catalogue.contract import ColumnType
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.describe import Column, Description, describe
from taskdb.query.check.findings import remedy_of
from taskdb.query.check.insides import Inner, Inside, merged
from taskdb.query.check.overriding import TypeOverrides, resolved
from taskdb.query.check.servertypes import Types, type_facts
from taskdb.query.check.stubadding import with_added
from taskdb.query.check.stubclasses import fields_of, is_field, labels_of
from taskdb.query.check.stubnames import BUILTINS, Names
from taskdb.query.check.stubtexts import camel, quoted, stub
from taskdb.query.check.stubtypes import TypeTexts, has_no_annotation
from taskdb.query.errors import QueryDefinitionError

__all__ = ["StubModule", "generated"]

_TEXT_TYPE: Final = ServerType("text", 0, TypeKind.TEXT, (str,))


@dataclass(frozen=True, slots=True)
class StubModule:
    """The module that stubs are written into: its text, empty if there is none, and its name.

    `known` are the values that it binds, where it was imported. `maker` is the module that binds
    the package's `Queries`, and by what name.
    """

    area: str
    text: str
    module: str
    known: Mapping[str, Any]
    maker: tuple[str, str]


def generated(
    conn: Connection[Any],
    statements: Sequence[Statement],
    target: StubModule,
    declared: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Return the text of the module *target* with stubs for *statements* added to it.

    *declared* are the types that its package names. Raises an `ExceptionGroup` with a
    `QueryDefinitionError` for each statement that the server refuses or that can have no stub.
    """
    module = _Module(target, [each.name for each in statements], resolved(conn, declared))
    refused: list[QueryDefinitionError] = []
    seen: dict[str, _Seen] = {}
    for statement in statements:
        with _collecting(refused):
            seen[statement.name] = _Seen.of(conn, statement)
    every = [one for found in seen.values() for _, one in found.texts]
    others = {each.type_oid for found in seen.values() for each in found.copied.values()}
    others |= module.named.types.keys()
    types = Types(type_facts(conn, every, others), conn.adapters)
    for statement in statements:
        if statement.name in seen:
            with _collecting(refused):
                module.add(statement, seen[statement.name], types)
    if refused:
        raise ExceptionGroup(f"{target.area}: no function can be written", refused)
    return module.text()


@contextmanager
def _collecting(refused: list[QueryDefinitionError]) -> Generator[None]:
    """Add the error about a statement to those that were *refused* before."""
    try:
        yield
    except QueryDefinitionError as exc:
        refused.append(exc)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Descriptions of a statement's texts, and the parameters that may be NULL in them.

    A COPY has none of them, but the columns of its table in `copied`.
    """

    texts: list[tuple[Variant, Description]]
    nullable: frozenset[str] = frozenset()
    copied: Mapping[str, ColumnType] = field(default_factory=dict[str, ColumnType])

    @classmethod
    def of(cls, conn: Connection[Any], statement: Statement) -> _Seen:
        if statement.copy_columns is not None:
            return cls([], copied=_copied(conn, statement))
        catalogue = Catalogue()
        whole = statement.whole()
        first = _described(conn, whole, frozenset(), catalogue)
        nullable = frozenset(_written_as_null(whole, first, catalogue))
        variants = (whole, *statement.variants(most=MOST_COMBINATIONS))
        texts = [(each, _described(conn, each, nullable, catalogue)) for each in variants]
        return cls(texts, nullable)


def _written_as_null(
    variant: Variant, described: Description, catalogue: Catalogue
) -> Iterator[str]:
    """Yield the parameters that are written as they are to columns that all take NULL.

    A domain NOT NULL refuses it, although the column may hold it.
    """
    relations = {each.oid: each for each in described.tables_written}
    for name, parameter in zip(variant.parameters, described.parameters, strict=True):
        columns = described.written.get(parameter.number, ())
        is_nullable = bool(columns) and all(
            table in relations and column not in relations[table].never_null_alone
            for table, column in columns
        )
        known = catalogue.type(parameter.type_oid)
        takes_null = known is None or not known.cast_refuses_null
        if is_nullable and takes_null and name not in variant.statement.conditional:
            yield name


def _described(
    conn: Connection[Any], variant: Variant, nullable: Collection[str], catalogue: Catalogue
) -> Description:
    statement = variant.statement
    given = [
        number
        for number, name in enumerate(variant.parameters, 1)
        if name not in statement.conditional or name in variant.present
    ]
    try:
        return describe(
            conn,
            variant.text,
            parameters_not_null=[n for n in given if variant.parameters[n - 1] not in nullable],
            items_not_null=given,
            catalogue=catalogue,
        )
    except psycopg.Error as exc:
        position = exc.diag.statement_position
        at = variant.offset(int(position) - 1) if position else statement.at
        raise _refused(statement, exc, at) from exc


def _copied(conn: Connection[Any], statement: Statement) -> dict[str, ColumnType]:
    """Return the columns that a COPY may fill. Raises `QueryDefinitionError` if it names others."""
    try:
        with conn.transaction():
            columns = contract.copied_columns(conn, relation=statement.copied_table)
    except psycopg.Error as exc:
        raise _refused(statement, exc, statement.start) from exc
    types = checks.types(conn, oids=[each.type_oid for each in columns])
    refusing = {each.oid for each in types if each.cast_refuses_null}
    known = {
        each.name: replace(each, not_null=each.not_null or each.type_oid in refusing)
        for each in columns
    }
    for name in statement.copy_columns or ():
        if name not in known:
            raise statement.source.error(
                f"{statement.name}: {statement.copied_table} has no column {name} to copy into",
                statement.start,
                "Name one it has, or make it",
            )
    return known


def _refused(statement: Statement, exc: psycopg.Error, at: int) -> QueryDefinitionError:
    return statement.source.error(
        f"{statement.name}: the server refuses it: {exc.diag.message_primary or exc}",
        at,
        remedy_of(exc, "Correct the statement, or make what it names"),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Place that an annotation is written for: a column, or a part of its inside.

    `declared` is its type where the package names one.
    """

    of: ServerType
    nullable: bool
    inside: Inside | None
    hint: str
    declared: Any = None

    @property
    def holds_rows(self) -> bool:
        """Return whether it is a row, or a list of them."""
        if _has_fields(self.inside):
            return True
        item = self.of.item if self.of.kind is TypeKind.ARRAY else self.of
        return item is not None and item.kind is TypeKind.ROW

    @property
    def class_name(self) -> str:
        """The name of a class for it: the type's, where it has one of its own."""
        if self.of.kind is not TypeKind.ROW:
            return self.hint
        return camel(self.of.name.rpartition(".")[2].strip('"'))

    def item(self, types: Types, named: TypeOverrides) -> _Part | None:
        """Return the items of a list."""
        if self.inside is not None and self.inside.items is not None:
            item = self._known(self.inside.items, types, named, "")
            is_text = self.of.comes_as_text and not (
                item.of.labels or item.of.kind is TypeKind.ARRAY or item.holds_rows
            )
            return replace(item, of=_TEXT_TYPE, declared=None) if is_text else item
        if self.of.kind is TypeKind.ARRAY and self.of.item is not None:
            return _Part(self.of.item, False, None, self.hint)
        return None

    def fields(self, types: Types, named: TypeOverrides) -> dict[str, _Part]:
        """Return the fields of a row by name; those that have none are `f1`, `f2`."""
        inside = self.inside
        if inside is not None and inside.fields:
            return {
                field_name(each.name) or f"f{number}": self._known(each, types, named, each.name)
                for number, each in enumerate(inside.fields, 1)
            }
        if self.of.kind is not TypeKind.ROW:
            return {}
        return {
            field_name(name): _Part(of, True, None, self.hint + camel(name))
            for name, of in self.of.fields
        }

    def _known(self, inner: Inner, types: Types, named: TypeOverrides, name: str) -> _Part:
        of = types.server_type(inner.type_oid) if inner.type_oid else _TEXT_TYPE
        of = types.in_json(of) if self.inside and self.inside.is_json else of
        hint = self.hint + (camel(name) if name else "")
        declared = named.of_inner(inner, types)
        return _Part(of, inner.nullable, inner.inside, hint, declared)


def _has_fields(inside: Inside | None) -> bool:
    if inside is None:
        return False
    return bool(inside.fields) or (inside.items is not None and _has_fields(inside.items.inside))


class _Module:
    """A module as it is, and what is added to it."""

    def __init__(
        self, target: StubModule, functions: Collection[str], named: TypeOverrides
    ) -> None:
        self.before = target.text or f'"""The queries of {target.area}.sql."""\n'
        self.named = named
        tree = ast.parse(self.before)
        self.names = Names(tree, functions)
        enums: dict[tuple[str, ...], str] = {}
        self.rows: dict[tuple[tuple[str, str], ...], str] = {}
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                if labels := labels_of(node):
                    enums[labels] = node.name
                elif fields := fields_of(node):
                    self.rows[fields] = node.name
        self.texts = TypeTexts(self.names, target.module, target.known, enums, named.types)
        self.decorator = self._decorator(target)
        if target.module.rpartition(".")[2] != target.area:
            self.decorator += f"(file={quoted(target.area)})"

    def _decorator(self, target: StubModule) -> str:
        """The name by which the module has the package's `Queries`."""
        source, name = target.maker
        if source != target.module:
            return self.names.use(source, name)
        if self.names.is_hidden(name):
            raise QueryDefinitionError(
                f"the module binds {name}, which makes its queries, and a query is called so too",
                where=f"{target.area}.py",
                hint="Call one of them otherwise",
            )
        return name

    def add(
        self,
        statement: Statement,
        seen: _Seen,
        types: Types,
    ) -> None:
        """Add the stub of *statement*, and the row class that it needs."""
        if statement.copy_columns is not None:
            declared = [
                f"{field_name(name)}: {self._copied_type(seen.copied[name], types)}"
                for name in statement.copy_columns
            ]
            self._add(statement, declared, self.texts.use(BUILTINS, "int"))
            return
        parameters = [*self._parameters(statement, seen, types)]
        returns = self._returns(statement, [each for _, each in seen.texts], types)
        self._add(statement, parameters, returns)

    def _add(self, statement: Statement, parameters: Sequence[str], returns: str) -> None:
        self.texts.added.append(stub(statement, parameters, returns, self.decorator))

    def _copied_type(self, column: ColumnType, types: Types) -> str:
        named = self.named.columns.get((column.relation, column.number))
        named = named or self.named.of_type(column.type_oid, types)
        of = types.server_type(column.type_oid)
        return self.texts.annotation(of, nullable=not column.not_null, declared=named)

    def _parameters(self, statement: Statement, seen: _Seen, types: Types) -> Iterator[str]:
        written: dict[str, str] = {}
        for variant, described in seen.texts:
            for name, parameter in zip(variant.parameters, described.parameters, strict=True):
                if name not in written:
                    named = self.named.suggested(parameter.number, described, types)
                    of = types.server_type(parameter.type_oid)
                    _refuse_unsendable(statement, name, of, named, types)
                    written[name] = self.texts.annotation(
                        of, nullable=name in seen.nullable, declared=named
                    )
        optional = [name for name in written if name in statement.conditional]
        for name in (*(name for name in written if name not in optional), *optional):
            default = " | None = None" if name in optional else ""
            yield f"{field_name(name)}: {written[name]}{default}"
        for name in sorted(statement.conditional - written.keys()):
            values = statement.choices.get(name)
            if values is None:
                yield f"{field_name(name)}: {self.texts.use(BUILTINS, 'bool')} = False"
            else:
                literal = f"{self.texts.use('typing', 'Literal')}[{', '.join(map(quoted, values))}]"
                yield f"{field_name(name)}: {literal} | None = None"

    def _returns(self, statement: Statement, described: Sequence[Description], types: Types) -> str:
        columns = described[0].columns
        _refuse_other_columns(statement, described)
        if not columns:
            is_utility = described[0].command == "utility"
            return "None" if is_utility else self.texts.use(BUILTINS, "int")
        parts = [
            self._result(statement, described, number, types) for number in range(len(columns))
        ]
        if len(parts) == 1 and columns[0].type_oid == VOID:
            return "None"
        is_single = all(each.at_most_one_row for each in described)
        is_sure = all(each.gives_a_row for each in described)
        # A list in the place of the one result would be one of rows.
        is_list = parts[0].of.kind is TypeKind.ARRAY and is_single and is_sure
        if len(parts) == 1 and not parts[0].holds_rows and (not is_list or parts[0].nullable):
            row = self._part(parts[0], types)
        else:
            names = _field_names(statement, columns)
            fields = self._fields(dict(zip(names, parts, strict=True)), types)
            row = self._row(camel(statement.name) + "Row", fields)
        if not is_single:
            return self.texts.list_of(row)
        return row if is_sure or row.endswith("| None") else f"{row} | None"

    def _result(
        self, statement: Statement, described: Sequence[Description], number: int, types: Types
    ) -> _Part:
        """Return the place of a column, as it is in all variants."""
        column = described[0].columns[number]
        mark = mark_of(column.name)
        nullable = any(each.columns[number].nullable for each in described)
        nullable = mark == "?" or (nullable and mark != "!")
        of = types.server_type(column.type_oid, reading=True)
        insides = [each.columns[number].inside for each in described]
        inside = merged(insides) if len(insides) > 1 else insides[0]
        hint = camel(statement.name) + camel(field_name(column.name))
        return _Part(of, nullable, inside, hint, self.named.of_column(column, types))

    def _part(self, part: _Part, types: Types, *, within: bool = False) -> str:
        """The annotation of a column, or of what is inside it."""
        written = None if part.declared is not None else self._rows_inside(part, types)
        if written is None:
            return self.texts.annotation(
                part.of, nullable=part.nullable, declared=part.declared, within=within
            )
        return f"{written} | None" if part.nullable else written

    def _rows_inside(self, part: _Part, types: Types) -> str | None:
        """The class, or list of it, that what is inside becomes; None if that is not known."""
        if (item := part.item(types, self.named)) is not None:
            # Lists of single values are written by their type, unless NULL or lists are in them.
            is_written = item.holds_rows or (
                part.of.kind is TypeKind.ARRAY and (item.nullable or item.of.oid == part.of.oid)
            )
            written = self._part(item, types, within=True) if is_written else None
            return written and self.texts.list_of(written)
        parts = part.fields(types, self.named)
        if not parts or not all(map(is_field, parts)):
            return None
        fields = self._fields(parts, types, within=True)
        return self.texts.own(self._row(part.class_name, fields, in_order=True))

    def _fields(
        self, parts: Mapping[str, _Part], types: Types, *, within: bool = False
    ) -> tuple[tuple[str, str], ...]:
        """Return the fields of a row class with their annotations."""
        with self.texts.among(parts):
            return tuple(
                (name, self._part(each, types, within=within)) for name, each in parts.items()
            )

    def _row(
        self, name: str, fields: tuple[tuple[str, str], ...], *, in_order: bool = False
    ) -> str:
        """The class for rows of these columns: one that is there, or a new one."""
        for each, known in self.rows.items():
            if each == fields or (not in_order and dict(each) == dict(fields)):
                return known
        name = self.names.bind_class(name)
        lines = "".join(f"    {column}: {annotation}\n" for column, annotation in fields)
        dataclass_ = self.names.use("dataclasses", "dataclass")
        self.texts.added.append(f"@{dataclass_}(slots=True)\nclass {name}:\n{lines}")
        self.rows[fields] = name
        return name

    def text(self) -> str:
        """The module's text with all that was added."""
        return with_added(self.before, self.names.added, self.texts.added)


def _refuse_unsendable(
    statement: Statement, name: str, of: ServerType, named: Any, types: Types
) -> None:
    """Raise `QueryDefinitionError` if no value can be sent for a parameter, as it is *named*."""
    if not has_no_annotation(of) if named is None else sends(named, of, types.adapters):
        return
    text = "text[]" if of.kind is TypeKind.ARRAY else "text"
    raise statement.source.error(
        f"{statement.name}: :{name} is {of}, of which no value can be sent",
        statement.parameters[name][0],
        f"Cast it: :{name}::{text}::{of}",
    )


def _refuse_other_columns(statement: Statement, described: Sequence[Description]) -> None:
    """Raise `QueryDefinitionError` if the columns of a result are not the same in all variants."""
    whole, *others = (", ".join(column.name for column in each.columns) for each in described)
    other = next((each for each in others if each != whole), whole)
    if other != whole:
        raise statement.source.error(
            f"{statement.name} has the columns {whole} with all its lines, and else {other}",
            statement.at,
            "Let every variant have the same columns: select null as s in place of one",
        )


def _field_names(statement: Statement, columns: Sequence[Column]) -> list[str]:
    """Return the fields of a row. Raises `QueryDefinitionError` if a column can't be one."""
    names: list[str] = []
    for column in columns:
        name = field_name(column.name)
        if name in names:
            raise statement.source.error(
                f"{statement.name} has two columns that go to a field {name}",
                statement.at,
                "Give one another name: select a.id, b.id as b_id",
            )
        if not is_field(name):
            raise statement.source.error(
                f"{statement.name} has a column {column.name}, which can't be a field in Python",
                statement.at,
                "Give it another name with as",
            )
        names.append(name)
    return names
