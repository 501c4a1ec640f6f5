"""Texts of a generated module: stubs, docstrings, names."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from taskdb.query._statements import Statement

__all__ = ["WIDTH", "camel", "members", "quoted", "stub"]

WIDTH: Final = 100


def stub(statement: Statement, parameters: Sequence[str], returns: str, decorator: str) -> str:
    """Return the stub of *statement*, whose comment becomes its docstring."""
    declared = f"*, {', '.join(parameters)}" if parameters else ""
    first = f"def {statement.name}({declared}) -> {returns}:"
    doc = statement.doc.strip().replace("\\", "\\\\").replace('"""', "'''")
    if len(first) + (0 if doc else len(" ...")) > WIDTH:
        lines = "".join(f"    {each},\n" for each in parameters)
        first = f"def {statement.name}(\n    *,\n{lines}) -> {returns}:"
    if not doc:
        return f"@{decorator}\n{first} ..."
    return f"@{decorator}\n{first}\n{textwrap.indent(_docstring(doc), '    ')}\n    ..."


def _docstring(doc: str) -> str:
    if "\n" not in doc and len(doc) < WIDTH - 10 and not doc.endswith('"'):
        return f'"""{doc}"""'
    # In three quotes, and as far in as the body of a function.
    first, *others = (
        part
        for number, line in enumerate(doc.split("\n"))
        for part in textwrap.wrap(line, WIDTH - (4 if number else 7)) or [""]
    )
    doc = "\n".join([first, *others])
    return f'"""{doc}\n"""'


def camel(name: str) -> str:
    """Return the name of a class for what is called *name*."""
    words = re.findall(r"[^\W_]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words) or "Row"


def members(labels: Iterable[str]) -> list[str]:
    """Return the names of an enumeration's members for its *labels*, no two the same."""
    found: list[str] = []
    for label in labels:
        name = re.sub(r"\W+", "_", label).strip("_").upper()
        name = name if name.isidentifier() else f"LABEL_{name}"
        while name in found:
            name += "_"
        found.append(name)
    return found


def quoted(text: str) -> str:
    """Return the literal of a text, in the quotes of which fewer must be escaped."""
    written = repr(text)
    if written.startswith('"') or text.count('"') > text.count("'"):
        return written
    inner = written[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{inner}"'
