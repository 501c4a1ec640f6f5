"""`make bench` works, in what needs no library besides, and its page has the tables it prints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from bench import Table, bars, claiming, connected, features, named, worker
from bench.__main__ import OTHERS, main, report
from bench.accounts import inspect_wal, settled, wal_bytes, wal_position
from bench.bars import BARS
from bench.crews import command
from bench.options import Asked
from bench.reading import Way, ways
from taskdb.database import Connection
from taskdb.embedded import throwaway
from taskdb.models.claims import Claim
from taskdb.queries import claims

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "benchmarks.md").read_text()


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    """Return the URL of a server of its own: checkpoints and extensions need a superuser."""
    with throwaway() as server:
        yield server.url


@pytest.fixture(scope="module")
def tables(url: str) -> list[Table]:
    asked = Asked(own=True, sections=("reading", "claiming"), ways=("one",), workers=(1,))
    asked.seconds, asked.rounds = 0.2, 1
    return list(report(url, asked))


@pytest.mark.slow
def test_tables_are_whole(tables: list[Table]) -> None:
    titles = [table.title for table in tables]
    widths = {(table.title, len(row) == len(table.head)) for table in tables for row in table.rows}

    assert titles == [
        "Machine and settings",
        "One row by its key",
        "1,000 rows",
        "Claiming, 1 worker",
    ]
    assert widths == {(title, True) for title in titles}


@pytest.mark.slow
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
    found = re.fullmatch(r"([\d.]+)( us| ms| \(\d+-\d+\))?", printed)
    assert found, printed
    return float(found[1]) * {" us": 1e-6, " ms": 1e-3}.get(found[2], 1)


@pytest.mark.slow
def test_page_has_the_tables_that_are_printed(tables: list[Table]) -> None:
    for table in tables:
        names = [line.split(" | ")[0] for line in str(table).splitlines()]
        assert [name for name in names if name not in PAGE] == []


def test_page_names_what_is_compared() -> None:
    assert [name for name in OTHERS if name not in PAGE] == []


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.usefixtures("tables")
def test_every_feature_is_used_by_every_task_of_its_queue(url: str) -> None:
    own = claiming.beside(url, "taskdb")
    with connected(own) as conn:
        for fill in features.FEATURES.values():
            claiming.empty_tasks(conn)
            fill(conn, 5)
            taken = [claims.claim_next(conn, agent="a") for _ in range(6)]
            used = [
                conn.execute(f"select count(*) from {table}").fetchone()
                for table in ("file_locks", "tasks where workflow_id is not null", "tasks")
            ]
            jobs = [claim.key for claim in taken if claim]

            assert jobs == [f"JOB-{n}" for n in range(1, 6)]
            assert used in ([(10,), (0,), (5,)], [(0,), (5,), (5,)], [(0,), (0,), (10,)])


@pytest.mark.slow
@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("way", ["one", "chain", "batch", "pool"])
def test_worker_completes_every_task_and_stops(
    url: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = claiming.beside(url, "taskdb")
    # Measurements that a version may lack, by those that all have.
    monkeypatch.setattr(claims, "complete_and_claim_next", complete_and_claim_next, raising=False)
    claiming.refill(own, 5)

    with worker.WAYS[way](own, "a") as step:
        steps = [step() for _ in range(7)]

    assert steps[0]
    assert not steps[-1]
    with connected(own) as conn:
        assert claiming.tasks_done(conn) == 5


@dataclass
class EndAndNext:
    claim: Claim | None


def complete_and_claim_next(
    conn: Connection, *, task_id: UUID, token: int, agent: str
) -> EndAndNext:
    claims.complete(conn, task_id=task_id, token=token)
    return EndAndNext(claims.claim_next(conn, agent=agent))


@pytest.mark.slow
@pytest.mark.usefixtures("tables")
def test_wal_is_counted_without_the_images_of_pages(url: str) -> None:
    with connected(claiming.beside(url, "taskdb")) as conn:
        inspect_wal(conn)
        conn.execute("set synchronous_commit = on")
        conn.execute("create table public.bench_wal as select 1 as one")
        conn.execute("checkpoint")
        since = wal_position(conn)
        conn.execute("insert into public.bench_wal values (2)")

        assert 50 < wal_bytes(conn, since=since, until=wal_position(conn)) < 1000


@pytest.mark.slow
def test_processor_time_is_that_of_the_process_that_worked(url: str) -> None:
    with connected(url) as conn:
        before = settled(conn.info.backend_pid)
        conn.execute("select count(*) from generate_series(1, 300000)")
        worked = settled(conn.info.backend_pid) - before
        conn.execute("select 1")

        assert settled(conn.info.backend_pid) - before - worked < worked / 3


@pytest.mark.slow
def test_worker_of_another_interpreter_says_what_it_can_do(tmp_path: Path) -> None:
    line = command(sys.executable, "bench.worker", "ways")
    told = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert {"one", "batch", "pool", "plain"} <= set(told.stdout.split())


def test_compared_files_give_the_ratio_of_what_both_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "old.json", tmp_path / "new.json"]
    files[0].write_text(json.dumps({"old": {"scale": {"1000": {"claim": 400, "gone": 1}}}}))
    files[1].write_text(json.dumps({"taskdb": {"scale": {"1000": {"claim": 100, "new": 1}}}}))

    main(["compare", f"{files[0]}:old", str(files[1])])

    assert capsys.readouterr().out.splitlines()[4:] == [
        "| scale / 1000 / claim | 400 | 100 | 0.25 |"
    ]


def test_figure_below_its_floor_is_named() -> None:
    ours = {"snapshot": {"one by one, behind the last": {"ratio": 0.01}}}
    [bar] = [bar for bar in BARS if "snapshot" in bar.name]

    assert [line.partition(":")[0] for line in bars.below_floor(ours, {})] == [bar.name]
    assert [row[-1] for row in bars.table("taskdb", ours, {}).rows] == ["missed"]


def test_floors_ask_for_less_than_goals() -> None:
    assert [bar.name for bar in BARS if not bar.holds(bar.goal, bar.floor)] == []


def test_misspelt_section_is_refused() -> None:
    with pytest.raises(SystemExit, match="claimings"):
        main(["claimings"])
