"""Names of files, and of what is defined in them, in pages and comments."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A file of this repository; those of other projects, in examples, are in no such folder.
REFERENCE = re.compile(
    r"\b((?:bench|taskdb|tests|tools|sql/(?:functions|queries|shared|tables|triggers|views))"
    r"/[\w./-]+\.(?:py|sql))\b(?:::([\w.]+))?"
)


def absent(text: str) -> list[str]:
    """Return the references in *text* that lead nowhere."""
    return ["::".join(filter(None, one)) for one in REFERENCE.findall(text) if missing(*one)]


def defined(path: Path) -> set[str]:
    """The names that a file of Python defines, those of a class as `Class.name`."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        names |= _names(node, "")
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                names |= _names(inner, f"{node.name}.")
    return names


def _names(node: ast.stmt, prefix: str) -> set[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {prefix + node.name}
        case ast.Assign():
            return {prefix + target.id for target in node.targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name() as target):
            return {prefix + target.id}
        case _:
            return set()


def missing(file: str, name: str) -> bool:
    path = ROOT / file
    if not path.is_file():
        return True
    if not name:
        return False
    if path.suffix == ".py":
        return name not in defined(path)
    if path.name == "Makefile":
        return not re.search(rf"^{name}:", path.read_text(), re.MULTILINE)
    return not re.search(rf"\b{name}\b", path.read_text())
