"""Stubs and row classes for named queries that have none, from what a database says of them.

What is written is a beginning: a module of its own for each file, or lines at the end of the one
that is there. Nothing that stands there already is changed but its imports.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from psycopg import Connection

from taskdb.query._combinations import MOST_COMBINATIONS
from taskdb.query._rowclasses import field_name, mark_of
from taskdb.query._statements import Statement, Variant
from taskdb.query._types import ServerType, TypeKind
from taskdb.query.catalogue import contract
from taskdb.query.catalogue.contract import ColumnType
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.describe import Description, describe
from taskdb.query.check.insides import Inner, Inside, merged
from taskdb.query.check.overriding import TypeOverrides, resolved
from taskdb.query.check.servertypes import Types, type_facts
from taskdb.query.check.stubtexts import camel, member, stub, with_imports
from taskdb.query.rules import Naive

__all__ = ["generated"]

# The name of a class in code, and the import that it needs.
_CLASSES: Final[dict[type, tuple[str, str]]] = {
    bool: ("bool", ""),
    bytes: ("bytes", ""),
    int: ("int", ""),
    float: ("float", ""),
    str: ("str", ""),
    Decimal: ("Decimal", "from decimal import Decimal"),
    UUID: ("UUID", "from uuid import UUID"),
    date: ("date", "from datetime import date"),
    time: ("time", "from datetime import time"),
    datetime: ("datetime", "from datetime import datetime"),
    timedelta: ("timedelta", "from datetime import timedelta"),
}
_TEXT_TYPE: Final = ServerType("text", 0, TypeKind.TEXT, (str,))
_ANY: Final = ("Any", "from typing import Any")


def generated(
    conn: Connection[Any],
    statements: Sequence[Statement],
    path: Path,
    importing: str,
    declared: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Return the text of the module at *path* with stubs for *statements* added to it.

    *importing* is the line that brings `query` into a new module, *declared* are the types that
    its package names. Raises `psycopg.Error` where the server refuses a statement.
    """
    module = _Module.read(path, importing, resolved(conn, declared))
    seen = {each.name: list(_described(conn, each)) for each in statements}
    copied = {each.name: _copied(conn, each) for each in statements if each.copy_columns}
    every = [one for found in seen.values() for _, one in found]
    others = {each.type_oid for columns in copied.values() for each in columns.values()}
    others |= module.named.types.keys()
    types = Types(type_facts(conn, every, others), conn.adapters)
    for statement in statements:
        module.add(statement, seen[statement.name], copied.get(statement.name, {}), types)
    return module.text()


def _described(
    conn: Connection[Any], statement: Statement
) -> Iterator[tuple[Variant, Description]]:
    if statement.copy_columns is not None:
        return
    catalogue = Catalogue()
    for variant in (statement.whole(), *statement.variants(most=MOST_COMBINATIONS)):
        not_null = [
            number
            for number, name in enumerate(variant.parameters, 1)
            if name not in statement.conditional or name in variant.present
        ]
        yield (
            variant,
            describe(
                conn,
                variant.text,
                parameters_not_null=not_null,
                items_not_null=not_null,
                catalogue=catalogue,
            ),
        )


def _copied(conn: Connection[Any], statement: Statement) -> dict[str, ColumnType]:
    words = statement.source.text[statement.start : statement.end].split(None, 2)
    columns = contract.copied_columns(conn, relation=words[1].partition("(")[0])
    return {each.name: each for each in columns}


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
        if self.inside is not None and not self.inside.is_empty:
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
            return self._known(self.inside.items, types, named, "")
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


@dataclass
class _Module:
    """A module as it is, and what is added to it."""

    before: str
    importing: str
    named: TypeOverrides
    imports: set[str]
    names: set[str]
    enums: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    rows: dict[tuple[tuple[str, str], ...], str] = field(
        default_factory=dict[tuple[tuple[str, str], ...], str]
    )
    added: list[str] = field(default_factory=list[str])
    wanted: set[str] = field(default_factory=set[str])

    @classmethod
    def read(cls, path: Path, importing: str, named: TypeOverrides) -> _Module:
        text = f'"""The queries of {path.stem}.sql."""\n'
        if path.exists():
            text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        module = cls(text, importing, named, set(), set())
        for node in tree.body:
            match node:
                case ast.ImportFrom(module=str(source), names=names, level=0):
                    module.imports |= {f"from {source} import {each.name}" for each in names}
                    module.names |= {each.asname or each.name for each in names}
                case ast.Assign(targets=[ast.Name(id=name)]):
                    module.names.add(name)
                case ast.ClassDef(name=name):
                    module.names.add(name)
                    module._read_class(node)
                case _:
                    continue
        return module

    def _read_class(self, node: ast.ClassDef) -> None:
        fields = tuple(
            (each.target.id, ast.unparse(each.annotation))
            for each in node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        )
        labels = tuple(
            each.value.value
            for each in node.body
            if isinstance(each, ast.Assign)
            and isinstance(each.value, ast.Constant)
            and isinstance(each.value.value, str)
        )
        if any(isinstance(base, ast.Name) and base.id == "StrEnum" for base in node.bases):
            self.enums[labels] = node.name
        elif fields:
            self.rows[fields] = node.name

    def add(
        self,
        statement: Statement,
        seen: Sequence[tuple[Variant, Description]],
        copied: Mapping[str, ColumnType],
        types: Types,
    ) -> None:
        """Add the stub of *statement*, and the row class that it needs."""
        if statement.copy_columns is not None:
            declared = [
                f"{field_name(name)}: {self._copied_type(copied[name], types)}"
                for name in statement.copy_columns
            ]
            self.added.append(stub(statement, declared, "int"))
            return
        parameters = [*self._parameters(statement, seen, types)]
        returns = self._returns(statement, [each for _, each in seen], types)
        self.added.append(stub(statement, parameters, returns))

    def _copied_type(self, column: ColumnType, types: Types) -> str:
        named = self.named.columns.get((column.relation, column.number))
        named = named or self.named.of_type(column.type_oid, types)
        of = types.server_type(column.type_oid)
        return self._annotation(of, nullable=not column.not_null, declared=named)

    def _parameters(
        self, statement: Statement, seen: Iterable[tuple[Variant, Description]], types: Types
    ) -> Iterator[str]:
        written: dict[str, str] = {}
        for variant, described in seen:
            for name, parameter in zip(variant.parameters, described.parameters, strict=True):
                if name not in written:
                    named = self.named.suggested(parameter.number, described, types)
                    of = types.server_type(parameter.type_oid)
                    written[name] = self._annotation(of, declared=named)
        optional = [name for name in written if name in statement.conditional]
        for name in (*(name for name in written if name not in optional), *optional):
            default = " | None = None" if name in optional else ""
            yield f"{field_name(name)}: {written[name]}{default}"
        for name in sorted(statement.conditional - written.keys()):
            values = statement.choices.get(name)
            if values is None:
                yield f"{field_name(name)}: bool = False"
            else:
                self.wanted.add("from typing import Literal")
                literal = f"Literal[{', '.join(map(json.dumps, values))}]"
                yield f"{field_name(name)}: {literal} | None = None"

    def _returns(self, statement: Statement, described: Sequence[Description], types: Types) -> str:
        columns = described[0].columns
        if not columns:
            return "None" if described[0].command == "utility" else "int"
        fields: list[tuple[str, str]] = []
        parts: list[_Part] = []
        seen: set[str] = set()
        for number, column in enumerate(columns):
            mark = mark_of(column.name)
            nullable = any(each.columns[number].nullable for each in described)
            nullable = mark == "?" or (nullable and mark != "!")
            of = types.server_type(column.type_oid, reading=True)
            insides = [each.columns[number].inside for each in described]
            inside = merged(insides) if len(insides) > 1 else insides[0]
            name = field_name(column.name)
            declared = self.named.of_column(column, types)
            part = _Part(of, nullable, inside, camel(statement.name) + camel(name), declared)
            parts.append(part)
            fields.append((name, self._part(part, types)))
        for name, _ in fields if len(fields) > 1 or parts[0].holds_rows else ():
            if not name.isidentifier() or name in seen:
                raise statement.source.error(
                    f"column {name} can't be a field, or comes twice",
                    statement.at,
                    "Give it another name with as",
                )
            seen.add(name)
        # A class, or a list, in the place of the result would be one of rows.
        is_scalar = len(fields) == 1 and not parts[0].holds_rows
        name = camel(statement.name) + "Row"
        row = fields[0][1] if is_scalar else self._row(name, tuple(fields))
        if not all(each.at_most_one_row for each in described):
            return f"list[{row}]"
        is_sure = all(each.gives_a_row or self._inserts(statement, each) for each in described)
        return row if is_sure or row.endswith("| None") else f"{row} | None"

    def _inserts(self, statement: Statement, described: Description) -> bool:
        """Return whether it inserts one row of VALUES, unless a conflict keeps it out."""
        words = re.findall(r"\w+", statement.source.text[statement.start : statement.end].lower())
        return described.command == "insert" and "values" in words and "nothing" not in words

    def _part(self, part: _Part, types: Types) -> str:
        """The annotation of a column, or of what is inside it."""
        written = None if part.declared is not None else self._rows_inside(part, types)
        if written is None:
            return self._annotation(part.of, nullable=part.nullable, declared=part.declared)
        return f"{written} | None" if part.nullable else written

    def _rows_inside(self, part: _Part, types: Types) -> str | None:
        """The class, or list of it, that what is inside becomes; None if that is not known."""
        if (item := part.item(types, self.named)) is not None:
            return f"list[{self._part(item, types)}]" if item.holds_rows else None
        fields = part.fields(types, self.named)
        if not fields:
            return None
        if not all(name.isidentifier() for name in fields):
            return None
        written = tuple((name, self._part(field, types)) for name, field in fields.items())
        return self._row(part.class_name, written, in_order=True)

    def _row(
        self, name: str, fields: tuple[tuple[str, str], ...], *, in_order: bool = False
    ) -> str:
        """The class for rows of these columns: one that is there, or a new one."""
        for each, known in self.rows.items():
            if each == fields or (not in_order and dict(each) == dict(fields)):
                return known
        name = self._free(name)
        lines = "".join(f"    {column}: {annotation}\n" for column, annotation in fields)
        self.added.append(f"@dataclass(slots=True)\nclass {name}:\n{lines}")
        self.wanted.add("from dataclasses import dataclass")
        self.rows[fields] = name
        return name

    def _free(self, name: str) -> str:
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name

    def _annotation(self, of: ServerType, *, nullable: bool = False, declared: Any = None) -> str:
        text = self._of_type(of) if declared is None else self._declared(declared)
        return f"{text} | None" if nullable and text != "Any" else text

    def _of_type(self, of: ServerType) -> str:
        if of.labels is not None:
            return self._enum(of)
        if of.kind is TypeKind.JSON:
            self.wanted |= {
                "from typing import Annotated",
                "from typing import Any",
                "from taskdb.query import Json",
            }
            return "Annotated[Any, Json()]"
        if of.kind is TypeKind.ARRAY and of.item is not None:
            item = of.item
            return (
                f"list[{self._of_type(item)}]"
                if item.labels or not of.comes_as_text
                else "list[str]"
            )
        if of.kind in (TypeKind.RANGE, TypeKind.MULTIRANGE) and of.item is not None:
            name = "Range" if of.kind is TypeKind.RANGE else "Multirange"
            self.wanted.add(f"from psycopg.types.{name.lower()} import {name}")
            return f"{name}[{self._of_type(of.item)}]"
        if of.classes == (Naive,):
            self.wanted |= {
                "from typing import Annotated",
                "from datetime import datetime",
                "from taskdb.query import Naive",
            }
            return "Annotated[datetime, Naive()]"
        written = [self._class(each) for each in of.classes] or [_ANY]
        self.wanted |= {needed for _, needed in written if needed}
        return " | ".join(text for text, _ in written)

    def _declared(self, annotation: Any) -> str:
        """Write an annotation that the package names, and import what it needs."""
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._declared(arguments[0])
        if origin is Literal:
            self.wanted.add("from typing import Literal")
            return f"Literal[{', '.join(map(repr, arguments))}]"
        if origin in (Union, UnionType):
            return " | ".join(map(self._declared, arguments))
        if origin is not None:
            return f"{self._declared(origin)}[{', '.join(map(self._declared, arguments))}]"
        name = annotation.__name__
        if annotation.__module__ != "builtins" and name not in self.names:
            self.wanted.add(f"from {annotation.__module__} import {name}")
        return str(name)

    def _class(self, cls: type) -> tuple[str, str]:
        if cls in _CLASSES:
            return _CLASSES[cls]
        if cls.__module__ == "ipaddress":
            return cls.__name__, f"from ipaddress import {cls.__name__}"
        return _ANY

    def _enum(self, of: ServerType) -> str:
        labels = of.labels or ()
        known = next((n for each, n in self.enums.items() if set(each) == set(labels)), None)
        if known is not None:
            return known
        name = self._free(camel(of.name.rpartition(".")[2].strip('"')))
        members = "".join(f"    {member(label)} = {label!r}\n" for label in labels).replace(
            "'", '"'
        )
        self.added.append(f"class {name}(StrEnum):\n{members}")
        self.wanted.add("from enum import StrEnum")
        self.enums[labels] = name
        return name

    def text(self) -> str:
        """The module's text with all that was added."""
        if "query" not in self.names:
            self.wanted.add(self.importing)
        head = with_imports(self.before, sorted(self.wanted - self.imports))
        return (
            "\n\n\n".join([head.rstrip("\n"), *(each.rstrip("\n") for each in self.added)]) + "\n"
        )
