"""Classes of a generated module, as they stand there: labels of enumerations, fields of rows."""

from __future__ import annotations

import ast
from typing import Final

__all__ = ["fields_of", "is_field", "labels_of"]

# Decorators and bases of classes that rows become.
_ROW_DECORATORS: Final = frozenset({"dataclass", "define", "frozen", "mutable", "attrs"})
_ROW_BASES: Final = frozenset({"NamedTuple", "BaseModel", "Struct"})


def is_field(name: str) -> bool:
    """Return whether a class may have a field of this name; Python changes those with `__`."""
    return name.isidentifier() and not name.startswith("__")


def labels_of(node: ast.ClassDef) -> tuple[str, ...]:
    """Return the labels of an enumeration of texts, none of another class."""
    bases = {_last_name(base) for base in node.bases}
    if "StrEnum" not in bases and not {"str", "Enum"} <= bases:
        return ()
    return tuple(
        each.value.value
        for each in node.body
        if isinstance(each, ast.Assign)
        and isinstance(each.value, ast.Constant)
        and isinstance(each.value.value, str)
    )


def fields_of(node: ast.ClassDef) -> tuple[tuple[str, str], ...]:
    """Return the fields of a class that rows become, with their annotations; none of another."""
    decorators = {_last_name(each) for each in node.decorator_list}
    bases = {_last_name(base) for base in node.bases}
    if not (bases <= _ROW_BASES and (bases or decorators & _ROW_DECORATORS)):
        return ()
    return tuple(
        (each.target.id, ast.unparse(each.annotation))
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    )


def _last_name(node: ast.expr) -> str:
    """`NamedTuple` of `typing.NamedTuple`, `dataclass` of `dataclass(slots=True)`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return _last_name(function)
        case _:
            return ""
