"""Names in a generated module: those that are bound there, and those that may be used.

A query may be called `list`, a column `date`, an enumerated type `Range`: no name that generated
code uses may be hidden by one of them, and none that it binds may hide what stands there.
"""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Collection, Iterator
from typing import Final

__all__ = ["Names"]

BUILTINS: Final = "builtins"
# Classes are called otherwise than what generated code may import.
_RESERVED: Final = frozenset(
    {
        *dir(builtins),
        *keyword.kwlist,
        *("Annotated", "Any", "Decimal", "Json", "Literal", "Multirange", "Naive", "Range"),
        *("StrEnum", "UUID", "IPv4Address", "IPv4Interface", "IPv4Network"),
        *("IPv6Address", "IPv6Interface", "IPv6Network"),
    }
)


class Names:
    """Names bound at the top of a module whose tree is *tree*, and those that are added.

    *functions* are the queries that the module gets stubs of.
    """

    def __init__(self, tree: ast.Module, functions: Collection[str]) -> None:
        self._hidden = {*functions, *_definitions(tree)}
        self._bound = {*_bound(tree.body), *functions}
        self._imported: dict[tuple[str, str], list[str]] = {}
        self._modules: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self.added: list[tuple[str, str]] = []
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                for each in node.names:
                    known = self._imported.setdefault((node.module, each.name), [])
                    known.append(each.asname or each.name)
            elif isinstance(node, ast.Import):
                for each in node.names:
                    if each.asname or "." not in each.name:
                        self._modules[each.name] = each.asname or each.name

    def is_hidden(self, name: str) -> bool:
        """Return whether a function or class of the module has this name."""
        return name in self._hidden

    def use(self, source: str, name: str, fields: Collection[str] = ()) -> str:
        """Return what to write for *name* of the module *source*, which is imported if need be.

        It stands where *fields* are bound, as in the body of a class.
        """
        for local in self._imported.get((source, name), ()):
            if self._is_visible(local, fields):
                return local
        if source in self._modules and self._is_visible(self._modules[source], fields):
            return f"{self._modules[source]}.{name}"
        if source == BUILTINS and name not in self._bound and name not in fields:
            return name
        local = self._free(name, fields)
        self._imported.setdefault((source, name), []).append(local)
        self.added.append((source, name if local == name else f"{name} as {local}"))
        return local

    def use_class(self, name: str, fields: Collection[str]) -> tuple[str, str]:
        """Return what to write for a class of the module itself, and a line that it needs."""
        if name not in fields:
            return name, ""
        if name in self._aliases and self._aliases[name] not in fields:
            return self._aliases[name], ""
        self._aliases[name] = self._free(name, fields)
        return self._aliases[name], f"{self._aliases[name]} = {name}\n"

    def bind_class(self, name: str) -> str:
        """Return a free name for a new class that would be called *name*."""
        name = name if name.isidentifier() else f"Type{name}"
        while name in _RESERVED or name in self._bound:
            name += "_"
        self._bound.add(name)
        return name

    def _is_visible(self, local: str, fields: Collection[str]) -> bool:
        return local not in self._hidden and local not in fields

    def _free(self, name: str, fields: Collection[str]) -> str:
        while name in self._bound or name in fields:
            name += "_"
        self._bound.add(name)
        return name


def _definitions(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def _bound(body: Collection[ast.stmt]) -> Iterator[str]:
    """Yield the names that the statements of a module bind, also below `if` and `try`."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Import() | ast.ImportFrom():
                for each in node.names:
                    yield each.asname or each.name.partition(".")[0]
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                continue
            case _:
                todo.extend(ast.iter_child_nodes(node))
