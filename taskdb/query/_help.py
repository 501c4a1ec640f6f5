"""Signature and docstring of a query, as help(), inspect.signature and editors show them.

The annotations are those that its author wrote. Where a module evaluates them they are read from
its source again, when somebody asks.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from taskdb.query._query import Query

__all__ = ["annotations_of", "documentation", "functions_of", "signature_of"]

_WIDTH: Final = 100


class _Written(str):
    """An annotation as its author wrote it: `inspect` shows it without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def documentation(query: Query[Any, Any]) -> str:
    """Return how a query is called, the docstring of its stub, and where its SQL is."""
    doc = inspect.getdoc(query.function) or ""
    head = _head(query.function.__name__, signature_of(query.function))
    return "\n\n".join(filter(None, (head, doc, f"SQL: {query.where}")))


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a stub with the connection before it."""
    conn = inspect.Parameter(
        "conn",
        inspect.Parameter.POSITIONAL_ONLY,
        annotation=_Written("Connection | AsyncConnection"),
    )
    signature, written = inspect.signature(function), annotations_of(function)
    parameters = [
        each.replace(annotation=_Written(written[each.name]))
        for each in signature.parameters.values()
    ]
    returns = _Written(written["return"])
    return signature.replace(parameters=[conn, *parameters], return_annotation=returns)


def annotations_of(function: Callable[..., Any]) -> Mapping[str, str]:
    """Return the annotations of a function as they are written, "return" among them."""
    from_source: Mapping[str, str] | None = None
    found: dict[str, str] = {}
    for name, annotation in function.__annotations__.items():
        if isinstance(annotation, str):
            found[name] = annotation
            continue
        if from_source is None:
            from_source = _from_source(function)
        found[name] = from_source.get(name) or inspect.formatannotation(annotation)
    return found


def _from_source(function: Callable[..., Any]) -> Mapping[str, str]:
    code = inspect.unwrap(function).__code__
    for node in functions_of(code.co_filename):
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        if node.name == function.__name__ and first == code.co_firstlineno:
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            written = {each.arg: each.annotation for each in every} | {"return": node.returns}
            return {name: ast.unparse(each) for name, each in written.items() if each is not None}
    return {}


@functools.lru_cache(maxsize=8)
def functions_of(filename: str) -> list[ast.FunctionDef]:
    """Return the functions of a file; none if it is not there, or is not Python."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _head(name: str, signature: inspect.Signature) -> str:
    written = [_parameter(each) for each in signature.parameters.values()]
    written.insert(1, "/")
    kinds = [each.kind for each in signature.parameters.values()]
    if inspect.Parameter.KEYWORD_ONLY in kinds:
        written.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY) + 1, "*")
    head = f"{name}({', '.join(written)}) -> {signature.return_annotation}"
    if len(head) > _WIDTH:
        lines = "".join(f"    {each},\n" for each in written)
        head = f"{name}(\n{lines}) -> {signature.return_annotation}"
    return head


def _parameter(parameter: inspect.Parameter) -> str:
    declared = f"{parameter.name}: {parameter.annotation}"
    if parameter.default is parameter.empty:
        return declared
    default = parameter.default
    if isinstance(default, Enum):
        return f"{declared} = {type(default).__name__}.{default.name}"
    return f"{declared} = {default!r}"
