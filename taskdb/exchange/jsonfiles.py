"""JSON and JSON Lines as other tools leave them: objects know their lines, faults their places."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.files import Files
from taskdb.exchange.report import Findings

__all__ = [
    "JsonNumber",
    "JsonObject",
    "decode_file",
    "parse_json",
    "read_document",
    "read_lines",
    "read_value",
]

STRING_OR_BRACE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]', re.DOTALL)
UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
# The largest JSON number that a database driver carries; longer ones stay exact as text.
LARGEST_INTEGER: Final = 2**63 - 1
LONGEST_INTEGER: Final = 20


class JsonObject(dict[str, Any]):
    """An object of a file, and the line on which it begins."""

    __slots__ = ("line",)

    def __init__(self, values: dict[str, Any], line: int) -> None:
        super().__init__(values)
        self.line = line


class JsonNumber(float):
    """A number with a point, and how the file writes it: 27.10 is an id, and not 27.1."""

    text: str

    def __new__(cls, text: str) -> JsonNumber:
        """Make a number of its *text*."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def read_lines(path: Path, findings: Findings, files: Files | None = None) -> Iterator[JsonObject]:
    """Yield the objects of a JSON Lines file, one a line.

    A line that is no JSON object is refused, with its line and column; invalid UTF-8 in it
    becomes U+FFFD, and both are recorded. Raises ValidationError if the file can't be read.
    """
    for number, line in enumerate(_bytes_of(path, files).split(b"\n"), start=1):
        if not line.strip():
            continue
        text = _decode(line, path.name, number, findings)
        try:
            value = _parse(text, [number], _recorder(path.name, findings))
        except _NotJsonError as error:
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
        return _parse(text, list(_lines_of_objects(text)), _recorder(path.name, findings))
    except _NotJsonError as error:
        raise ValidationError(
            "plan",
            f"is not JSON: {error.reason} at line {error.line} column {error.column}",
            where=f"{path}:{error.line}:{error.column}",
            hint="Repair the file there; a merge that went wrong often looks like this",
        ) from error


def decode_file(path: Path, findings: Findings, files: Files | None = None) -> str:
    """Return the text of a file; invalid UTF-8 in it becomes U+FFFD, which is recorded."""
    return _decode(_bytes_of(path, files), path.name, None, findings)


def parse_json(text: str, changed: Callable[[str], None]) -> Any:
    """Return the value of a JSON text that stands in a field of another file.

    *changed* is told of what PostgreSQL could not hold otherwise. Raises ValueError if the
    text is not JSON.
    """
    try:
        return _parse(text, [1], lambda reason, _: changed(reason))
    except _NotJsonError as error:
        raise ValueError(f"{error.reason} at column {error.column}") from error


class _NotJsonError(Exception):
    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


def _parse(text: str, lines: list[int], changed: Callable[[str, int | None], None]) -> Any:
    """Parse a JSON text whose objects begin on *lines*: one for all, or one each as they close."""
    one = lines[0] if len(lines) == 1 else None
    closing = iter(lines)

    def make_object(pairs: list[tuple[str, Any]]) -> JsonObject:
        made = JsonObject(dict(pairs), one or next(closing))
        if len(made) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            twice = sorted(name for name, count in counts.items() if count > 1)
            changed(f"names {', '.join(twice)} more than once; the last one counts", made.line)
        return made

    def integer(digits: str) -> int | str:
        # Twenty digits are more than 64 bits; int() itself refuses thousands of them.
        if len(digits) <= LONGEST_INTEGER and abs(number := int(digits)) <= LARGEST_INTEGER:
            return number
        changed(f"the number {_short(digits)} has more than 64 bits; kept as text", one)
        return digits

    def real(digits: str) -> JsonNumber | str:
        if math.isfinite(number := JsonNumber(digits)):
            return number
        changed(f"the number {_short(digits)} is out of range; kept as text", one)
        return digits

    def constant(name: str) -> str:
        changed(f"{name} is not JSON; kept as text", one)
        return name

    try:
        return json.loads(
            text,
            object_pairs_hook=make_object,
            parse_int=integer,
            parse_float=real,
            parse_constant=constant,
        )
    except json.JSONDecodeError as error:
        raise _NotJsonError(error.msg, error.lineno, error.colno) from error
    except RecursionError as error:
        raise _NotJsonError("nested too deeply", 1, 1) from error


def _recorder(name: str, findings: Findings) -> Callable[[str, int | None], None]:
    def changed(reason: str, line: int | None) -> None:
        findings.changed("line", f"{name}:{line}" if line else name, None, reason)

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


def _bytes_of(path: Path, files: Files | None) -> bytes:
    content = (files or Files(path)).read(path)
    if content.startswith(UTF16_MARKS):
        raise ValidationError(
            "plan", "is in UTF-16", where=f"{path}:1", hint="Save the file as UTF-8"
        )
    return content.removeprefix(b"\xef\xbb\xbf")


def _decode(content: bytes, name: str, number: int | None, findings: Findings) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = number or before.count(b"\n") + 1
        column = len(before) - before.rfind(b"\n")
        findings.changed(
            "line",
            f"{name}:{line}:{column}",
            None,
            f"byte 0x{content[error.start]:02x} is not UTF-8; "
            "it, and any like it that follow, became U+FFFD",
        )
        return content.decode(errors="replace")


def _short(digits: str) -> str:
    return digits if len(digits) <= 24 else f"{digits[:20]}... ({len(digits)} digits)"
