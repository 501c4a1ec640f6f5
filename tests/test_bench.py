"""`make bench` works, in what needs no library besides, and its page has the tables it prints."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import Table, named
from bench.__main__ import OTHERS, report
from bench.reading import Way, ways
from taskdb.queries import claims
from tests.servers import Databases

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "benchmarks.md").read_text()


@pytest.fixture(scope="module")
def url(databases: Databases) -> Generator[str]:
    url = databases.empty()
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
def tables(url: str) -> list[Table]:
    return list(report(url, own=True, jobs=60, seconds=0.2, rounds=1))


def test_tables_are_whole(tables: list[Table]) -> None:
    titles = [table.title for table in tables]
    widths = {(table.title, len(row) == len(table.head)) for table in tables for row in table.rows}

    assert titles == [
        "Machine and settings",
        "One row by its key",
        "1,000 rows",
        "Claiming, 60 ready jobs",
    ]
    assert widths == {(title, True) for title in titles}


def test_ratios_are_those_of_the_figures_to_the_first(tables: list[Table]) -> None:
    for table in tables[1:]:
        for at in [at for at, name in enumerate(table.head) if name == "ratio"]:
            first = figure(table.rows[0][at - 1])
            for row in table.rows:
                ratio = figure(row[at - 1]) / first
                # Figures are rounded when they are printed.
                assert float(row[at]) == pytest.approx(ratio, rel=0.1, abs=0.05)
            assert table.rows[0][at] == "1.00"


def figure(printed: str) -> float:
    found = re.fullmatch(r"([\d.]+)( us| ms|/s)", printed)
    assert found, printed
    return float(found[1]) * {" us": 1e-6, " ms": 1e-3, "/s": 1}[found[2]]


def test_page_has_the_tables_that_are_printed(tables: list[Table]) -> None:
    for table in tables:
        lines = str(table).replace("60 ready", "5,000 ready").splitlines()
        names = [line.split(" | ")[0] for line in lines]
        assert [name for name in names if name not in PAGE] == []


def test_page_names_what_is_compared() -> None:
    assert [name for name in OTHERS if name not in PAGE] == []


@pytest.mark.usefixtures("tables")
def test_way_that_reads_something_else_is_found_out(url: str) -> None:
    with ways(url) as opened:
        refused = [found_out(replace(way, one=way.many)) for way in opened]
        refused += [found_out(replace(way, many=nothing(way))) for way in opened]

    assert refused == [True] * 2 * len(opened)


def nothing(way: Way) -> Callable[[], object]:
    async def nothing_async() -> list[object]:
        return []

    return nothing_async if way.runner else list


def found_out(way: Way) -> bool:
    with pytest.raises((RuntimeError, AttributeError)):
        way.prove()
    return True


def test_pgbench_gets_the_text_that_is_sent() -> None:
    text = named(claims.complete, note="null")

    assert "task.id = :task_id" in text
    assert "note = null" in text
    assert "$" not in text
    assert "/*" not in text


def test_what_is_compared_is_pinned_and_no_developer_needs_it() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split("[>=]", item)[0] for item in extras["optional-dependencies"]["bench"]}
    pins = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    developers = " ".join(extras["optional-dependencies"]["dev"] + extras["dependencies"])

    assert set(OTHERS) <= wanted
    assert wanted - pins == set()
    assert [name for name in wanted if name in developers] == []
