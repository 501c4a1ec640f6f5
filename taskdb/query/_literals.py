"""Arrays and composites as the server writes them: `{a,"b c"}` and `(7,"b c",)`.

psycopg reads those whose type it knows; these are the others. Source: PostgreSQL's manual, "Array
Input and Output Syntax" and "Composite Type Input and Output Syntax".
"""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["is_array", "read_array", "read_composite"]

# The prefix of an array whose first index is not 1: `[0:1]={a,b}`.
_BOUNDS: Final = re.compile(r"(?:\[-?\d+:-?\d+\])+=")
_QUOTED: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_UNQUOTED: Final = re.compile(r"[^,{}\"\\]+")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
# A field of a composite, and the comma or parenthesis behind it.
_FIELD: Final = re.compile(r'(?:"([^"\\]*(?:(?:\\.|"")[^"\\]*)*)"|([^"(),\\]*))([,)])', re.DOTALL)
_DOUBLED: Final = re.compile(r'\\(.)|"(")', re.DOTALL)


def is_array(text: str) -> bool:
    """Tell whether *text* is an array's, and not a JSON document that begins like one."""
    return text.startswith("{") or _BOUNDS.match(text) is not None


def read_array(text: str) -> list[Any]:
    """Return the items of an array, lists of them for more dimensions. Raises ValueError."""
    bounds = _BOUNDS.match(text)
    start = bounds.end() if bounds else 0
    if text[start : start + 1] != "{":
        raise ValueError("no array")
    items, end = _items(text, start + 1)
    if end != len(text):
        raise ValueError("an array that goes on behind its end")
    return items


def _items(text: str, at: int) -> tuple[list[Any], int]:
    """The items from *at* to the closing brace, and the place behind it."""
    items: list[Any] = []
    if text[at : at + 1] == "}":
        return items, at + 1
    while True:
        item: Any
        if text[at : at + 1] == "{":
            item, at = _items(text, at + 1)
        elif quoted := _QUOTED.match(text, at):
            item, at = quoted[1], quoted.end()
            item = _ESCAPED.sub(r"\1", item) if "\\" in item else item
        elif plain := _UNQUOTED.match(text, at):
            item, at = None if plain[0] == "NULL" else plain[0], plain.end()
        else:
            raise ValueError("an array that ends too early")
        items.append(item)
        after = text[at : at + 1]
        at += 1
        if after == "}":
            return items, at
        if after != ",":
            raise ValueError("an array that ends too early")


def read_composite(text: str) -> list[str | None]:
    """Return the fields of a composite, None for NULL. Raises ValueError."""
    if text[:1] != "(" or text[-1:] != ")":
        raise ValueError("no composite")
    if '"' not in text and "\\" not in text:
        return [field or None for field in text[1:-1].split(",")]
    fields: list[str | None] = []
    at = 1
    while field := _FIELD.match(text, at):
        quoted, plain, after = field.groups()
        if quoted is None:
            fields.append(plain or None)
        else:
            fields.append(_DOUBLED.sub(r"\1\2", quoted) if _is_escaped(quoted) else quoted)
        at = field.end()
        if after == ")":
            break
    if at != len(text):
        raise ValueError("a composite that ends too early")
    return fields


def _is_escaped(quoted: str) -> bool:
    return '"' in quoted or "\\" in quoted
