"""Values of JSON texts: objects know their lines, numbers how they were written."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

__all__ = ["JsonNumber", "JsonObject", "NotJsonError", "parse", "parse_json"]

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


def parse_json(text: str, changed: Callable[[str], None]) -> Any:
    """Return the value of a JSON text that stands in a field of another file.

    *changed* is called with what PostgreSQL could not hold otherwise. Raises ValueError if the
    text is not JSON.
    """
    try:
        return parse(text, [], lambda reason, _: changed(reason), line=1)
    except NotJsonError as error:
        raise ValueError(f"{error.reason} at column {error.column}") from error


class NotJsonError(Exception):
    """A text that is not JSON, and where it is not."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


def parse(
    text: str, lines: list[int], changed: Callable[[str, int], None], line: int | None = None
) -> Any:
    """Parse a JSON text, all on a *line*, or with objects that begin on *lines*, as they close."""
    closing = iter(lines)
    met: Counter[str] = Counter()

    def line_of(word: str) -> int:
        met[word] += 1
        return line or _line_of_word(text, word, met[word])

    def make_object(pairs: list[tuple[str, Any]]) -> JsonObject:
        made = JsonObject(dict(pairs), line or next(closing))
        if len(made) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            twice = sorted(name for name, count in counts.items() if count > 1)
            changed(f"names {', '.join(twice)} more than once; the last one counts", made.line)
        return made

    def integer(digits: str) -> int | str:
        # Twenty digits are more than 64 bits; int() itself refuses thousands of them.
        if len(digits) <= LONGEST_INTEGER and abs(number := int(digits)) <= LARGEST_INTEGER:
            return number
        changed(f"the number {_short(digits)} has more than 64 bits; kept as text", line_of(digits))
        return digits

    def real(digits: str) -> JsonNumber | str:
        if math.isfinite(number := JsonNumber(digits)):
            return number
        changed(f"the number {_short(digits)} is out of range; kept as text", line_of(digits))
        return digits

    def constant(name: str) -> str:
        changed(f"{name} is not JSON; kept as text", line_of(name))
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
        raise NotJsonError(error.msg, error.lineno, error.colno) from error
    except RecursionError as error:
        raise NotJsonError("nested too deeply", 1, 1) from error


def _line_of_word(text: str, word: str, number: int) -> int:
    """Return the line of a word outside of the strings of a JSON text, met for this *number*."""
    pattern = rf'"(?:[^"\\]|\\.)*"|(?<![\w.+-]){re.escape(word)}(?![\w.+-])'
    found = (match for match in re.finditer(pattern, text, re.DOTALL) if match[0] == word)
    place = next(islice(found, number - 1, None))
    return text.count("\n", 0, place.start()) + 1


def _short(digits: str) -> str:
    return digits if len(digits) <= 24 else f"{digits[:20]}... ({len(digits)} digits)"
