"""Findings for other programs: GitHub's annotations, and SARIF for code scanning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from taskdb.query import Queries

__all__ = ["FORMATS", "github", "paths_of", "sarif"]

FORMATS: Final = ("text", "json", "github", "sarif")
_PLACE: Final = re.compile(r"(.+?):(\d+)(?::(\d+))?")


class _Place(NamedTuple):
    path: str
    line: int
    column: int


def paths_of(queries: Iterable[Queries]) -> dict[str, str]:
    """Return where the files lie that messages call by a short name, from the current folder."""
    sources = [query.statement.source for each in queries for query in each]
    return {source.label: os.path.relpath(source.path) for source in sources}


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
    driver = {
        "name": "taskdb check",
        "version": version("taskdb"),
        "rules": [{"id": part} for part in findings],
    }
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(part: str, finding: object, paths: Mapping[str, str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": part,
        "level": "error",
        "message": {"text": str(finding)},
    }
    if place := _place(finding, paths):
        result["locations"] = [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place.path.replace(os.sep, "/")},
                    "region": {"startLine": place.line, "startColumn": place.column},
                }
            }
        ]
    return result


def _place(finding: object, paths: Mapping[str, str]) -> _Place | None:
    where = getattr(finding, "sql_where", None) or getattr(finding, "where", None)
    found = _PLACE.fullmatch(str(where)) if where else None
    if not found:
        return None
    return _Place(paths.get(found[1], found[1]), int(found[2]), int(found[3] or 1))
