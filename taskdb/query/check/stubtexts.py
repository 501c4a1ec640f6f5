"""Texts of a generated module: stubs, docstrings, names, imports."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import Final

from taskdb.query._statements import Statement

__all__ = ["camel", "member", "stub", "with_imports"]

_WIDTH: Final = 100


def stub(statement: Statement, parameters: Sequence[str], returns: str) -> str:
    """Return the stub of *statement*, whose comment becomes its docstring."""
    declared = f"*, {', '.join(parameters)}" if parameters else ""
    first = f"def {statement.name}({declared}) -> {returns}:"
    doc = statement.doc.strip().replace("\\", "\\\\").replace('"""', "'''")
    if len(first) + (0 if doc else len(" ...")) > _WIDTH:
        lines = "".join(f"    {each},\n" for each in parameters)
        first = f"def {statement.name}(\n    *,\n{lines}) -> {returns}:"
    if not doc:
        return f"@query\n{first} ..."
    return f"@query\n{first}\n{textwrap.indent(_docstring(doc), '    ')}\n    ..."


def _docstring(doc: str) -> str:
    if "\n" not in doc and len(doc) < _WIDTH - 10 and not doc.endswith('"'):
        return f'"""{doc}"""'
    # In three quotes, and as far in as the body of a function.
    first, *others = (
        part
        for number, line in enumerate(doc.split("\n"))
        for part in textwrap.wrap(line, _WIDTH - (4 if number else 7)) or [""]
    )
    doc = "\n".join([first, *others])
    return f'"""{doc}\n"""'


def camel(name: str) -> str:
    """Return the name of a class for what is called *name*."""
    words = re.findall(r"[^\W_]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words) or "Row"


def member(label: str) -> str:
    """Return the name of an enumeration's member for *label*."""
    name = re.sub(r"\W+", "_", label).strip("_").upper()
    return name if name.isidentifier() else f"LABEL_{name}"


def with_imports(text: str, lines: Sequence[str]) -> str:
    """Put *lines* behind the last import of *text*, those of one module together."""
    grouped: dict[str, list[str]] = {}
    for line in lines:
        source, _, name = line.removeprefix("from ").partition(" import ")
        grouped.setdefault(source, []).append(name)
    blocks: dict[int, list[str]] = {}
    for source, names in grouped.items():
        block = 1 if source.partition(".")[0] in ("psycopg", "taskdb") else 0
        block = block if block or source in sys.stdlib_module_names else 2
        blocks.setdefault(block, []).append(f"from {source} import {', '.join(names)}")
    new = "\n\n".join("\n".join(blocks[block]) for block in sorted(blocks))
    body = ast.parse(text).body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    before = text.rstrip("\n").splitlines()
    if not imports:
        # Behind the docstring, if there is one.
        is_doc = bool(body) and isinstance(body[0], ast.Expr)
        at = body[0].end_lineno or 0 if is_doc else 0
        return "\n".join([*before[:at], *([""] if at else []), new, *before[at:]])
    at = imports[-1].end_lineno or 0
    return "\n".join([*before[:at], *([new] if new else []), *before[at:]])
