"""Findings for other programs: GitHub's annotations, and SARIF for code scanning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from taskdb.migrations.scripts import place as short_place
from taskdb.query import Queries

__all__ = ["FORMATS", "github", "paths_of", "sarif"]

FORMATS: Final = ("text", "json", "github", "sarif")
_PLACE: Final = re.compile(r"(.+?)(?::(\d+)(?::(\d+))?)?", re.DOTALL)
_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_RULES: Final = {
    "contract": "A query fits its function",
    "expectations": "The server's description of a query is the reviewed one",
    "drift": "Migrations and schema file build the same schema",
    "migrations": "A migration goes up, down and up again, with the locks it declares",
    "plans": "No query reads a large table whole or sorts many rows",
}


class _Place(NamedTuple):
    path: str
    line: int
    column: int


def paths_of(queries: Iterable[Queries], *more: Path | None) -> dict[str, str]:
    """Return where the folders and files lie that messages call by a short name.

    They are those of *queries* and *more*. Paths begin at the root of the repository, as GitHub
    has them; outside of one, at the current folder.
    """
    here = Path.cwd()
    root = next((each for each in (here, *here.parents) if (each / ".git").exists()), here)
    named: dict[str, object] = {}
    for each in queries:
        named[each.expectations_label] = each.expectations
        named[each.label] = each.folder
    named |= {short_place(each, 1).rpartition(":")[0]: each for each in more if each is not None}
    return {label: os.path.relpath(str(path), root) for label, path in named.items()}


def github(findings: Mapping[str, Iterable[object]], paths: Mapping[str, str]) -> list[str]:
    """Return a line for each finding that GitHub shows beside the code it is about."""
    return [
        f"::error {_properties(part, finding, paths)}::{_escaped(str(finding))}"
        for part, found in findings.items()
        for finding in found
    ]


def _properties(part: str, finding: object, paths: Mapping[str, str]) -> str:
    place = _place(finding, paths)
    properties = {"title": f"taskdb check {part}"}
    if place:
        properties |= {"file": place.path, "line": str(place.line), "col": str(place.column)}
    return ",".join(f"{name}={_escaped(value, ',:')}" for name, value in properties.items())


def _escaped(text: str, more: str = "") -> str:
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def sarif(findings: Mapping[str, Iterable[object]], paths: Mapping[str, str]) -> dict[str, Any]:
    """Return the findings as a SARIF 2.1.0 log, each part of the check being a rule."""
    results = [
        _result(part, finding, paths) for part, found in findings.items() for finding in found
    ]
    rules = [{"id": part, "shortDescription": {"text": _RULES[part]}} for part in findings]
    driver = {"name": "taskdb check", "version": version("taskdb"), "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(part: str, finding: object, paths: Mapping[str, str]) -> dict[str, Any]:
    # Code scanning takes no result without a place.
    place = _place(finding, paths) or _Place(next(iter(paths.values()), "."), 1, 1)
    location = {
        "artifactLocation": {"uri": quote(place.path.replace(os.sep, "/"))},
        "region": {"startLine": place.line, "startColumn": place.column},
    }
    return {
        "ruleId": part,
        "level": "error",
        "message": {"text": str(finding)},
        "locations": [{"physicalLocation": location}],
    }


def _place(finding: object, paths: Mapping[str, str]) -> _Place | None:
    where = getattr(finding, "sql_where", None) or getattr(finding, "where", None)
    found = _PLACE.fullmatch(str(where)) if where else None
    if found is None:
        return None
    written, line, column = found.groups()
    for label, path in paths.items():
        if f"{written}/".startswith(f"{label}/"):
            written = path + written[len(label) :]
            break
    return _Place(written, int(line or 1), int(column or 1))
