"""JSON and JSON Lines as other tools leave them: objects know their lines, faults their places."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.files import Files
from taskdb.exchange.jsonvalues import JsonObject, NotJsonError, parse
from taskdb.exchange.report import Findings
from taskdb.exchange.textfiles import bytes_of, decode, decode_file

__all__ = ["read_document", "read_lines", "read_value"]

STRING_OR_BRACE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]', re.DOTALL)


def read_lines(path: Path, findings: Findings, files: Files | None = None) -> Iterator[JsonObject]:
    """Yield the objects of a JSON Lines file, one a line.

    A line that is no JSON object is refused, with its line and column; invalid UTF-8 in it
    becomes U+FFFD, and both are recorded. Raises ValidationError if the file can't be read.
    """
    for number, line in enumerate(bytes_of(path, files).split(b"\n"), start=1):
        if not line.strip():
            continue
        text = decode(line, path.name, number, findings)
        try:
            value = parse(text, [], _recorder(path.name, findings), line=number)
        except NotJsonError as error:
            findings.refused("line", f"{path.name}:{number}:{error.column}", None, error.reason)
            continue
        if isinstance(value, JsonObject):
            yield value
        else:
            findings.refused("line", f"{path.name}:{number}", None, "is JSON, but not an object")


def read_document(path: Path, findings: Findings, files: Files | None = None) -> JsonObject:
    """Return the one JSON object that a file holds.

    Raises ValidationError, with line and column, if it does not hold exactly that.
    """
    value = read_value(path, findings, files)
    if not isinstance(value, JsonObject):
        raise ValidationError("plan", "must hold a JSON object", where=f"{path}:1")
    return value


def read_value(path: Path, findings: Findings, files: Files | None = None) -> Any:
    """Return the one JSON value that a file holds.

    Raises ValidationError, with line and column, if it does not hold exactly that.
    """
    text = decode_file(path, findings, files)
    try:
        return parse(text, list(_lines_of_objects(text)), _recorder(path.name, findings))
    except NotJsonError as error:
        raise ValidationError(
            "plan",
            f"is not JSON: {error.reason} at line {error.line} column {error.column}",
            where=f"{path}:{error.line}:{error.column}",
            hint="Repair the file there; a merge that went wrong often looks like this",
        ) from error


def _recorder(name: str, findings: Findings) -> Callable[[str, int], None]:
    def changed(reason: str, line: int) -> None:
        findings.changed("line", f"{name}:{line}", None, reason)

    return changed


def _lines_of_objects(text: str) -> Iterator[int]:
    """Yield the line of each object of a JSON text, in the order in which they close.

    That is the order in which `json` hands them to its hook.
    """
    newlines = [match.start() for match in re.finditer("\n", text)]
    open_at: list[int] = []
    for match in STRING_OR_BRACE.finditer(text):
        if match[0] == "{":
            open_at.append(match.start())
        elif match[0] == "}" and open_at:
            yield bisect_right(newlines, open_at.pop()) + 1
