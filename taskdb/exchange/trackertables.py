"""Reads the CSV exports of Linear and Jira, and any CSV or JSON Lines with named columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from taskdb.exchange.csvfiles import read_rows
from taskdb.exchange.files import Files
from taskdb.exchange.jsonfiles import read_lines
from taskdb.exchange.jsonvalues import JsonObject
from taskdb.exchange.options import ReadOptions
from taskdb.exchange.plan import RELATIONS, Plan
from taskdb.exchange.records import take_records
from taskdb.exchange.times import MONTH_NAMES
from taskdb.exchange.trackerlayouts import CSV, JIRA, LAYOUTS, LINEAR

__all__ = ["JSON_LINES", "READERS", "kind_of_header"]

JSON_LINES: Final = "jsonl"
# Where Jira has the number of an issue.
NUMBERS: Final = ("Issue id", "Work item id")
MOMENTS: Final = ("Created", "Updated", "Resolved")
# A moment of Jira that a spreadsheet has written anew.
NUMERIC: Final = re.compile(
    r"(0?[1-9]|[12]\d|3[01])/(0?[1-9]|[12]\d|3[01])/(\d{2}(?:\d{2})?(?: .*)?)", re.ASCII
)


def kind_of_header(names: Iterable[str]) -> str | None:
    """Return the tracker whose export has these columns, or None if it is no known one."""
    there = {name.strip().casefold() for name in names}
    if {"id", "team", "title", "status", "parent issue"} <= there:
        return LINEAR
    keys = {name.casefold() for name in LAYOUTS[JIRA].columns["key"][:2]}
    return JIRA if "summary" in there and keys & there else None


def _read(kind: str, path: Path, options: ReadOptions) -> Plan:
    plan = Plan(kind, str(path), (RELATIONS, "labels"))
    files, names = Files(path, options.largest), set[str]()
    if kind == JSON_LINES:
        lines = read_lines(path, plan.findings, files)
    else:
        lines = read_rows(path, plan.findings, files, names)
    rows = ((values, f"{path.name}:{values.line}") for values in lines)
    layout = LAYOUTS.get(kind, LAYOUTS[CSV])
    take_records(plan, _with_parent_keys(rows, kind, plan), layout, options, names)
    return plan


def _with_parent_keys(
    rows: Iterable[tuple[JsonObject, str]], kind: str, plan: Plan
) -> Iterator[tuple[JsonObject, str]]:
    """Give each row of Jira the key of its parent, which an export may name by its number."""
    if kind != JIRA:
        yield from rows
        return
    taken = list(rows)
    _name_months([values for values, _ in taken], plan)
    keys = {str(values.get(number)): _key(values) for values, _ in taken for number in NUMBERS}
    for values, where in taken:
        parent = values.get("Parent id") or values.get("Parent")
        if parent is not None and "Parent key" not in values:
            values["Parent key"] = keys.get(str(parent), parent)
        yield values, where


def _name_months(rows: list[JsonObject], plan: Plan) -> None:
    """Write 9/5/26 as 5/sep/26 where another moment, such as 9/17/26, shows which is the day."""
    found = [
        (values, name, match)
        for values in rows
        for name in MOMENTS
        if (match := NUMERIC.fullmatch(str(values.get(name))))
    ]
    first, second = ([m[0] for *_, m in found if int(m[part]) > 12] for part in (1, 2))
    if bool(first) == bool(second):
        return
    day, month = (1, 2) if first else (2, 1)
    for values, name, match in found:
        values[name] = f"{match[day]}/{MONTH_NAMES.split()[int(match[month]) - 1]}/{match[3]}"
    order = "day" if first else "month"
    plan.remarks.append(f"moments have the {order} first, as in {(first or second)[0]}")


def _key(values: JsonObject) -> object:
    return next((values[name] for name in LAYOUTS[JIRA].columns["key"] if name in values), None)


READERS: Final = {kind: partial(_read, kind) for kind in (LINEAR, JIRA, CSV, JSON_LINES)}
