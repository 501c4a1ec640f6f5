"""CSV as trackers export it: rows know their lines, and repeated columns are lists."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.files import Files
from taskdb.exchange.formulas import unguarded
from taskdb.exchange.jsonvalues import JsonObject
from taskdb.exchange.report import Findings
from taskdb.exchange.textfiles import decode_file

__all__ = ["header_of", "read_rows"]

DELIMITERS: Final = ",;\t"
LARGEST_FIELD: Final = 2**31 - 1
NO_COLUMNS: Final[list[str]] = []
# The first line that Excel reads and writes to name the delimiter.
_SEPARATOR: Final = re.compile(r'"?sep=([^"\r\n])"?\r?\n?', re.IGNORECASE)


def header_of(path: Path) -> list[str]:
    """Return the names of the columns of the file at *path*, none if it can't be read as CSV."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline()
        named = _SEPARATOR.fullmatch(first)
        first = file.readline() if named else first
    delimiter = named[1] if named else _delimiter(first)
    try:
        return next(csv.reader([first], delimiter=delimiter), NO_COLUMNS)
    except csv.Error:
        return []


def read_rows(
    path: Path, findings: Findings, files: Files, names: set[str]
) -> Iterator[JsonObject]:
    """Yield the rows of a CSV file, by the names of its columns; an empty field is left out.

    The delimiter is the one of comma, semicolon and tab that the first line has most of, or the
    one that a line before it names, as Excel's `sep=;`. The values of a column that is repeated
    are a list. A row with more fields than columns is refused. The apostrophe before what a
    spreadsheet would take for a formula is left out. *names* gets those of the columns, which a
    file without rows has, too. Raises ValidationError, with the line, if the file is not CSV.
    """
    text = decode_file(path, findings, files)
    csv.field_size_limit(LARGEST_FIELD)
    named = _SEPARATOR.match(text)
    text = text[named.end() :] if named else text
    delimiter = named[1] if named else _delimiter(text.partition("\n")[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    above = int(named is not None)
    line = above + 1
    try:
        header = next(reader, NO_COLUMNS)
        names.update(filter(None, header))
        line = above + reader.line_num + 1
        for fields in reader:
            if len(fields) > len(header):
                reason = f"has {len(fields)} fields, and there are {len(header)} columns"
                findings.refused("line", f"{path.name}:{line}", None, reason)
            elif any(fields):
                yield JsonObject(_values(header, [*map(unguarded, fields)]), line)
            line = above + reader.line_num + 1
    except csv.Error as error:
        raise ValidationError(
            "plan",
            f"is not CSV: {error}, in the row that begins at line {line}",
            where=f"{path}:{line}",
            hint="Repair the quotes there, or export the file again",
        ) from error


def _values(header: list[str], fields: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in zip(header, fields, strict=False):
        if field and name in values:
            same = values[name]
            values[name] = [*(same if isinstance(same, list) else [same]), field]
        elif field:
            values[name] = field
    return values


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)
