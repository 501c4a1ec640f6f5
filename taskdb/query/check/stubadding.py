"""Imports and definitions that are added to a module of stubs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence

from taskdb.query.check.stubtexts import WIDTH

__all__ = ["with_added"]


def with_added(text: str, imports: Iterable[tuple[str, str]], added: Iterable[str]) -> str:
    """Return the module *text* with *imports*, each a module and a name, and what is *added*.

    That stands at the end, before a call of `complete` and what is said of it.
    """
    body = ast.parse(text).body
    lines = text.rstrip("\n").split("\n")
    ends = len(lines)
    if body and _completes(body[-1]):
        ends = body[-1].lineno - 1
        while ends and lines[ends - 1].startswith("#"):
            ends -= 1
    after = lines[ends:]
    head = _with_imports(lines[:ends], body, imports)
    blocks = [
        *(["\n".join(head).rstrip("\n")] if head else []),
        *(each.rstrip("\n") for each in added),
    ]
    return "\n\n\n".join([*blocks, *(["\n".join(after)] if after else [])]) + "\n"


def _completes(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="complete"))):
            return True
        case _:
            return False


def _with_imports(
    lines: list[str], body: Sequence[ast.stmt], imports: Iterable[tuple[str, str]]
) -> list[str]:
    """Put *imports* behind the last import of the module, those of one module together."""
    grouped: dict[str, list[str]] = {}
    for source, name in sorted(imports):
        grouped.setdefault(source, []).append(name)
    blocks: dict[int, list[str]] = {}
    for source, names in grouped.items():
        block = 1 if source.partition(".")[0] in ("psycopg", "taskdb") else 0
        block = block if block or source in sys.stdlib_module_names else 2
        blocks.setdefault(block, []).append(_import(source, names))
    if not blocks:
        return lines
    new = "\n\n".join("\n".join(blocks[block]) for block in sorted(blocks))
    known = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    if known:
        at = known[-1].end_lineno or 0
        return [*lines[:at], new, *lines[at:]]
    # Behind the docstring, if there is one.
    is_doc = bool(body) and isinstance(body[0], ast.Expr)
    at = body[0].end_lineno or 0 if is_doc else 0
    return [*lines[:at], *([""] if at else []), new, *lines[at:]]


def _import(source: str, names: Sequence[str]) -> str:
    line = f"from {source} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {source} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
