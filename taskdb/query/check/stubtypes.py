"""Annotations of a generated module: the text of a type, and the enumerations that it needs."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from taskdb.query._annotations import NONE
from taskdb.query._types import ServerType, TypeKind
from taskdb.query.check.stubnames import BUILTINS, Names
from taskdb.query.check.stubtexts import camel, members, quoted
from taskdb.query.rules import Naive

__all__ = ["TypeTexts", "has_no_annotation"]

# Classes that code names as they are; of others nothing is said.
_CLASSES: Final = frozenset(
    {bool, bytes, int, float, str, Decimal, UUID, date, time, datetime, timedelta}
)


class TypeTexts:
    """Writes annotations for a module, whose *names* they use.

    *module* is its own name, *known* are the values that it binds, *enums* the names of its
    enumerations by their labels, *named* the annotations of types that the package names, by OID.
    What the annotations need is put into `added`.
    """

    def __init__(
        self,
        names: Names,
        module: str,
        known: Mapping[str, Any],
        enums: Mapping[tuple[str, ...], str],
        named: Mapping[int, Any],
    ) -> None:
        self.names = names
        self.added: list[str] = []
        self._module = module
        self._known = known
        self._enums = dict(enums)
        self._named = named
        self._fields: frozenset[str] = frozenset()

    @contextmanager
    def among(self, fields: Collection[str]) -> Generator[None]:
        """Write annotations in the body of a class that has these fields."""
        before, self._fields = self._fields, frozenset(fields)
        try:
            yield
        finally:
            self._fields = before

    def annotation(
        self,
        of: ServerType,
        *,
        nullable: bool = False,
        declared: Any = None,
        within: bool = False,
    ) -> str:
        """Return the annotation of a value of the type *of*, or as the package declares it.

        *within* a row each value is of some kind: text, where nothing better is known.
        """
        if declared is not None:
            text = self._declared(declared)
        elif _is_unknown(of) and not within:
            return self.use("typing", "Any")
        else:
            text = self._of_type(of, within)
        return f"{text} | None" if nullable else text

    def use(self, source: str, name: str) -> str:
        """Return what to write for *name* of the module *source*."""
        return self.names.use(source, name, self._fields)

    def own(self, name: str) -> str:
        """Return what to write for a class of the module."""
        local, line = self.names.use_class(name, self._fields)
        self.added += [line] if line else []
        return local

    def list_of(self, item: str) -> str:
        """Return the annotation of a list."""
        return f"{self.use(BUILTINS, 'list')}[{item}]"

    def _of_type(self, of: ServerType, within: bool) -> str:
        if of.labels is not None:
            # The type below a domain, which the package may name.
            named = self._named.get(of.oid)
            return self._enum(of) if named is None else self._declared(named)
        if of.kind is TypeKind.JSON:
            return self._annotated(self.use("typing", "Any"), "Json")
        if of.kind is TypeKind.ARRAY and of.item is not None:
            if of.comes_as_text and not of.item.labels:
                return self.list_of(self.use(BUILTINS, "str"))
            return self.list_of(self.annotation(of.item, within=within))
        if of.kind in (TypeKind.RANGE, TypeKind.MULTIRANGE) and of.item is not None:
            name = "Range" if of.kind is TypeKind.RANGE else "Multirange"
            written = self.use(f"psycopg.types.{name.lower()}", name)
            return f"{written}[{self._of_type(of.item, within)}]"
        if of.classes == (Naive,):
            return self._annotated(self.use("datetime", "datetime"), "Naive")
        if _is_unknown(of):
            return self.use(BUILTINS, "str")
        return " | ".join(self.use(each.__module__, each.__name__) for each in of.classes)

    def _annotated(self, meant: str, rule: str) -> str:
        return f"{self.use('typing', 'Annotated')}[{meant}, {self.use('taskdb.query', rule)}()]"

    def _declared(self, annotation: Any) -> str:
        """Write an annotation that the package names."""
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._declared(arguments[0])
        if origin is Literal:
            values = (quoted(each) if isinstance(each, str) else repr(each) for each in arguments)
            return f"{self.use('typing', 'Literal')}[{', '.join(values)}]"
        if origin in (Union, UnionType):
            return " | ".join(map(self._declared, arguments))
        if origin is not None:
            return f"{self._declared(origin)}[{', '.join(map(self._declared, arguments))}]"
        if annotation is NONE:
            return "None"
        for local, value in self._known.items():
            if value is annotation and local not in self._fields:
                return local
        # A class may stand in another one.
        top, dot, rest = getattr(annotation, "__qualname__", annotation.__name__).partition(".")
        if annotation.__module__ == self._module:
            return f"{self.own(top)}{dot}{rest}"
        return f"{self.use(annotation.__module__, top)}{dot}{rest}"

    def _enum(self, of: ServerType) -> str:
        labels = of.labels or ()
        known = next((n for each, n in self._enums.items() if set(each) == set(labels)), None)
        if known is None:
            known = self.names.bind_class(camel(of.name.rpartition(".")[2].strip('"')))
            lines = "".join(
                f"    {name} = {quoted(label)}\n"
                for name, label in zip(members(labels), labels, strict=True)
            )
            self.added.append(f"class {known}({self.names.use('enum', 'StrEnum')}):\n{lines}")
            self._enums[labels] = known
        return self.own(known)


def has_no_annotation(of: ServerType) -> bool:
    """Return whether there is no annotation by which values of a type are sent.

    A list of documents is sent as one document, not as an array of them.
    """
    if of.kind is TypeKind.ARRAY and of.item is not None:
        is_json = of.item.kind is TypeKind.JSON
        return not of.comes_as_text and (is_json or has_no_annotation(of.item))
    return _is_unknown(of)


def _is_unknown(of: ServerType) -> bool:
    """Return whether nothing is known of how Python code names values of a type."""
    if of.labels is not None or of.kind is TypeKind.JSON or of.item is not None:
        return False
    return of.classes != (Naive,) and not (of.classes and all(map(_has_name, of.classes)))


def _has_name(cls: type) -> bool:
    return cls in _CLASSES or cls.__module__ == "ipaddress"
