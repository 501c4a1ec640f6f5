"""The page of a plan without a browser: what it holds, and how its data stands in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.models.types import TaskStatus
from taskdb.queries import claims, flow, planning, selection, tasks
from taskdb.report import collect, render
from taskdb.report.page import WEB, data_text
from tests.command_line import Caller
from tests.plans import Plan, make_plan

Conn = psycopg.Connection[Any]
PAST = datetime(2020, 1, 1, tzinfo=UTC)
HOSTILE = "</script><!--<script>\u2028\u2029&amp;{{program}}<img src=x onerror=alert(1)>"


def collected(conn: Conn, **filters: Any) -> dict[str, Any]:
    ids = selection.chosen(conn, **filters)
    return collect(conn, task_ids=ids, since=PAST, workspace="taskdb", scope="whole plan")


def by_key(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row[0]: dict(zip(report["columns"], row, strict=False)) for row in report["tasks"]}


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_data_cannot_end_its_script() -> None:
    text = data_text({"title": HOSTILE})

    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"title": HOSTILE}


def test_a_hostile_title_changes_nothing_of_the_page(conn: Conn) -> None:
    tasks.create(conn, key="T-1", title="harmless")
    harmless = render(collected(conn))
    tasks.update(conn, key="T-1", title=HOSTILE)
    hostile = render(collected(conn))

    assert data_of(hostile)["tasks"][0][1] == HOSTILE
    data = re.compile(r'(?<=id="data">).*?(?=</script>)', re.S)
    assert data.sub("", hostile) == data.sub("", harmless)


def test_the_head_of_the_page_escapes_the_filters(conn: Conn) -> None:
    page = render(collect(conn, task_ids=[], since=PAST, workspace="w", scope="label <b>&"))

    assert "<title>label &lt;b&gt;&amp; · w</title>" in page


def test_the_policy_names_each_script_and_the_style_by_digest(conn: Conn) -> None:
    page = render(collected(conn))

    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    inline = [*re.findall(r"<script>(.*?)</script>", page, re.S)]
    inline += re.findall(r"<style[^>]*>(.*?)</style>", page, re.S)
    assert len(inline) == 3
    for text in inline:
        digest = hashlib.sha256(text.encode()).digest()
        assert base64.b64encode(digest).decode() in policy


def test_the_page_links_to_nothing(conn: Conn) -> None:
    page = re.sub(r"<script.*?</script>", "", render(collected(conn)), flags=re.S)

    assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) == {
        "data:,",
        "#content",
        *(f"#{name}" for name in re.findall(r'<section id="(\w+)"', page)),
    }


def test_libraries_are_those_of_their_digests() -> None:
    text = (WEB / "vendor" / "README.md").read_text()

    listed = dict(re.findall(r"\| `([\w.]+)` \|.*\| `(\w{64})` \|", text))
    there = {path.name for path in (WEB / "vendor").iterdir() if path.suffix in (".js", ".css")}
    assert listed.keys() == there
    for name, digest in listed.items():
        data = (WEB / "vendor" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
        assert b"</script" not in data
        assert b"<!--" not in data


def test_scripts_set_text_as_text_only() -> None:
    """No way from a text to markup or code stands in the scripts."""
    ways = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\(")

    found = [path.name for path in (WEB / "js").iterdir() if ways.search(path.read_text())]
    assert found == []


def test_tasks_stand_with_who_works_on_them_and_what_they_wait_for(conn: Conn) -> None:
    plan = make_plan(conn)
    claimed = claims.claim_next(conn, agent="ann")
    assert claimed is not None

    report = collected(conn)
    rows = by_key(report)
    assert rows[claimed.key]["claimed_by"] == "ann"
    assert {key for key, row in rows.items() if row["ready"]} == {
        row.key for row in selection.ready_among(conn, task_ids=selection.chosen(conn))
    }
    keys = [row[0] for row in report["tasks"]]
    gates = {
        (keys[waiter], keys[blocker]) for waiter, blocker, kind, *_ in report["waits"] if kind < 2
    }
    assert gates >= set(plan.edges)


def test_the_schedule_is_that_of_planning(conn: Conn) -> None:
    make_plan(conn)

    report = collected(conn)
    keys = [row[0] for row in report["tasks"]]
    assert [(keys[row[0]], row[1], row[2], row[5]) for row in report["schedule"]] == [
        (
            row.key,
            float(row.earliest_start_hours),
            float(row.earliest_finish_hours),
            row.path_step,
        )
        for row in planning.schedule(conn)
    ]


def test_what_tasks_wait_for_outside_stands_behind_them(conn: Conn) -> None:
    plan = make_plan(conn)

    report = collected(conn, feature=plan.features[1])
    keys = [row[0] for row in report["tasks"]]
    assert set(keys[: report["count"]]) == {plan.docs, plan.release}
    assert set(keys[report["count"] :]) == {plan.design, plan.build, plan.test}


def test_burn_up_of_tasks_is_that_of_their_epic(conn: Conn) -> None:
    plan = make_plan(conn)
    chosen = selection.chosen(conn, epic=plan.epic)

    assert flow.burn_up(conn, task_ids=chosen) == flow.burn_up(conn, epic=plan.epic)
    assert flow.burn_up(conn)[-1].task_count == len(plan.tasks)


def test_changes_are_those_since_the_moment(conn: Conn) -> None:
    make_plan(conn)
    later = datetime.now(UTC) + timedelta(hours=1)
    ids = selection.chosen(conn)

    everything = collect(conn, task_ids=ids, since=PAST, workspace="w", scope="s")
    nothing = collect(conn, task_ids=ids, since=later, workspace="w", scope="s")
    assert len(everything["transitions"]) >= len(ids)
    assert nothing["transitions"] == []


@pytest.fixture
def taskdb(capsys: pytest.CaptureFixture[str], database_url: str) -> Caller:
    return Caller(capsys, database_url)


def make(url: str) -> Plan:
    with psycopg.connect(url, options="-c search_path=taskdb,shared") as conn:
        return make_plan(conn)


def test_the_command_writes_a_page_of_what_the_filters_choose(
    taskdb: Caller, database_url: str, tmp_path: Path
) -> None:
    plan, path = make(database_url), tmp_path / "plan.html"

    since = ("--since", "2026-01-02T00:00Z")
    done = taskdb("report", "--feature", plan.features[0], *since, "-o", path)
    assert (done.status, done.out) == (0, "")
    assert done.err.startswith(f"{path}: 3 tasks, ")
    data = data_of(path.read_text())
    assert data["scope"] == f"feature {plan.features[0]}"
    assert data["since"] == "2026-01-02T00:00:00+00:00"
    assert data["count"] == 3
    assert [each.name for each in tmp_path.iterdir()] == ["plan.html"]


@pytest.mark.parametrize(
    ("said", "since"),
    [
        ("2026-01-02", "2026-01-02T05:00:00+00:00"),
        ("2026-07-02T09:30", "2026-07-02T13:30:00+00:00"),
        ("2026-07-02T09:30+02:00", "2026-07-02T07:30:00+00:00"),
    ],
)
def test_a_moment_without_a_zone_is_local_time(
    taskdb: Caller, database_url: str, monkeypatch: pytest.MonkeyPatch, said: str, since: str
) -> None:
    make(database_url)
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "America/New_York")
        time.tzset()
        shown = taskdb("report", "--since", said, "-o", "-")
        added = taskdb("add", "A task", "--scheduled-at", said, "--json")
    time.tzset()

    moments = (data_of(shown.out)["since"], added.data["scheduled_at"])
    assert [datetime.fromisoformat(each) for each in moments] == 2 * [datetime.fromisoformat(since)]


@pytest.mark.slow
def test_open_leaves_out_what_is_finished(taskdb: Caller, database_url: str) -> None:
    plan = make(database_url)
    with psycopg.connect(database_url, options="-c search_path=taskdb,shared") as conn:
        tasks.update_status(conn, key=plan.chore, status=TaskStatus.CANCELLED)

    whole, only_open = taskdb("report", "-o", "-"), taskdb("report", "--open", "-o", "-")
    assert data_of(whole.out)["count"] == 6
    assert data_of(only_open.out)["count"] == 5


def test_what_cannot_be_written_leaves_what_is_there(
    taskdb: Caller, database_url: str, tmp_path: Path
) -> None:
    make(database_url)

    missing = taskdb("report", "-o", tmp_path / "none" / "plan.html")
    unknown = taskdb("report", "--epic", "E99", "-o", tmp_path / "plan.html")
    assert missing.status == 1
    assert "No such file or directory" in missing.err
    assert unknown.status == 1
    assert "There is no epic E99" in unknown.err
    assert list(tmp_path.iterdir()) == []
