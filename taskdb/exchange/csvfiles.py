"""CSV as trackers export it: rows know their lines, and repeated columns are lists."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from taskdb.errors import ValidationError
from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import JsonObject, decode_file
from taskdb.exchange.report import Findings

__all__ = ["header_of", "read_rows"]

DELIMITERS: Final = ",;\t"
LARGEST_FIELD: Final = 2**31 - 1
NO_COLUMNS: Final[list[str]] = []


def header_of(path: Path) -> list[str]:
    """Return the names of the columns of the file at *path*, none if it can't be read as CSV."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline()
    try:
        return next(csv.reader([first], delimiter=_delimiter(first)), NO_COLUMNS)
    except csv.Error:
        return []


def read_rows(path: Path, findings: Findings, files: Files) -> Iterator[JsonObject]:
    """Yield the rows of a CSV file, by the names of its columns; an empty field is left out.

    The delimiter is the one of comma, semicolon and tab that the first line has most of. The
    values of a column that is repeated are a list. A row with more fields than columns is
    refused. Raises ValidationError, with the line, if the file is not CSV.
    """
    text = decode_file(path, findings, files)
    csv.field_size_limit(LARGEST_FIELD)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=_delimiter(text.partition("\n")[0]), strict=True
    )
    line = 1
    try:
        header = next(reader, NO_COLUMNS)
        line = reader.line_num + 1
        for fields in reader:
            if len(fields) > len(header):
                reason = f"has {len(fields)} fields, and there are {len(header)} columns"
                findings.refused("line", f"{path.name}:{line}", None, reason)
            elif any(fields):
                yield JsonObject(_values(header, fields), line)
            line = reader.line_num + 1
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
