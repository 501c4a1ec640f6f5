"""The page of a plan in a real browser: what is seen, by whom, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.database import connect
from taskdb.exchange import import_plan
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import exchange, planning, selection, tasks
from taskdb.report import collect, render
from taskdb.testing.databases import Databases
from tests.exchange_files import DATA, needs_data

pytest.importorskip("selenium", reason="make setup brings Selenium")

from selenium.webdriver.common.keys import Keys

from tests.report.browser import PHONE, SECTIONS, WIDE, Page, needs_chromium, open_browser

Conn = psycopg.Connection[Any]
pytestmark = needs_chromium
PAST = datetime(2020, 1, 1, tzinfo=UTC)
LARGEST = "beads/steveyegge+beads/2025-12-19_1021issues_949af953.jsonl"
HOSTILE = (
    "</script><script>owned = 1</script>",
    "<img src=x onerror='owned = 1'>",
    "<!--<script>",
    "{{program}} ${owned = 1} \u2028 \u2029",
    "\u202eesrever <svg onload=owned=1>",
    "javascript:owned=1 " + "w" * 400,
    '"><style>body{display:none}</style>',
)

# Where the parts of the page stand, from the top of the document.
BOXES = """
    return ["columns", "gantt", "cy", "charts"].map((id) => {
        const box = document.getElementById(id).getBoundingClientRect();
        return [box.left, box.right, box.top + scrollY, box.bottom + scrollY];
    });
"""
GRAPH = "document.getElementById('cy')._cyreg.cy"
# Sections, buttons and inputs that have no name for who does not see them.
NAMELESS = """
    const text = (element) => element?.textContent.trim();
    const name = (element) => element.ariaLabel || text(element) || text(element.labels?.[0]);
    const titled = (section) => document.getElementById(section.getAttribute("aria-labelledby"));
    const title = (section) => text(titled(section));
    return [
        ...[...document.querySelectorAll("section")].filter((each) => !title(each)),
        ...[...document.querySelectorAll("button, input")].filter((each) => !name(each)),
    ].map((each) => each.outerHTML);
"""
# The contrast of two colours, as WCAG 2 has it.
CONTRASTS = """
    const style = getComputedStyle(document.documentElement);
    const light = (name) => {
        const hex = style.getPropertyValue(`--${name}`).trim().slice(1);
        const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
            .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, other) => {
        const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
        return (bright + 0.05) / (dark + 0.05);
    };
    const states = ["ready", "in_progress", "in_review", "waiting", "held", "failed", "done"];
    const pairs = [["ink", "page"], ["ink", "card"], ["muted", "page"], ["muted", "card"],
        ["accent", "card"], ["path", "path-soft"], ["muted", "waiting-soft"],
        ...states.flatMap((state) =>
            [[state, "card"], [state, `${state}-soft`], ["muted", `${state}-soft`]])];
    return pairs.map(([one, other]) => [`${one} on ${other}`, contrast(one, other)]);
"""


@pytest.fixture(scope="module")
def page() -> Generator[Page]:
    with open_browser() as opened:
        yield opened


def write(conn: Conn, path: Path, since: datetime = PAST) -> Path:
    """Write the page of all tasks."""
    ids = selection.chosen(conn)
    shown = collect(conn, task_ids=ids, since=since, workspace="taskdb", scope="whole plan")
    path.write_text(render(shown), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def largest(
    databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Path]:
    """The page of the largest plan beside the repository."""
    url = databases.clone(template)
    with connect(url) as conn:
        import_plan(conn, "beads", DATA / LARGEST)
        yield write(conn, tmp_path_factory.mktemp("page") / "largest.html")
    databases.drop(url)


@needs_data
@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_board_schedule_and_graph_stand_one_below_the_other(
    page: Page, largest: Path, size: tuple[int, int], scheme: str
) -> None:
    page.open(largest, size, scheme=scheme)

    boxes = page.run(BOXES)
    for left, right, top, bottom in boxes:
        assert 0 <= left < right <= size[0]
        assert bottom - top > 100
    assert all(one[3] < other[2] for one, other in pairwise(boxes))
    assert page.run("return document.documentElement.scrollWidth") == size[0]
    assert page.complaints() == []


@needs_data
def test_the_largest_plan_is_on_the_board_in_the_schedule_and_in_the_graph(
    page: Page, largest: Path
) -> None:
    page.open(largest)

    assert page.texts("#columns summary h3") == [
        "Ready",
        "In progress",
        "In review",
        "Waiting",
        "On hold",
        "Done",
    ]
    assert page.texts("#columns .count") == ["89", "16", "0", "14", "0", "839"]
    assert page.run("return document.querySelector('.g-row').ariaSetSize") == "119"
    assert page.run(f"return [{GRAPH}.nodes().length, {GRAPH}.edges().length]") == [119, 23]


@needs_data
def test_no_request_leaves_the_page(page: Page, largest: Path) -> None:
    page.open(largest)
    for section in SECTIONS:
        page.run(f"document.querySelector('[href=\"#{section}\"]').click()")

    asked = page.asked_for()
    assert largest.as_uri() in asked
    assert [each for each in asked if not each.startswith(("file:", "data:", "about:"))] == []
    refused = page.driver.execute_async_script(
        """
        const done = arguments[0];
        const kinds = [];
        addEventListener("securitypolicyviolation", (event) => {
            kinds.push(event.effectiveDirective);
            if (kinds.length === 2) done(kinds.sort());
        });
        new Image().src = "http://127.0.0.1:9/picture.png";
        fetch("http://127.0.0.1:9/").catch(() => null);
        """
    )
    assert refused == ["connect-src", "img-src"]


def test_hostile_words_are_words(page: Page, conn: Conn, tmp_path: Path) -> None:
    for number, words in enumerate(HOSTILE):
        tasks.create(
            conn, key=f"T{number}", title=words[:500], description=words, agent_type=words[:200]
        )
        tasks.update(conn, key=f"T{number}", labels=[words[:200]])
    tasks.update_status(
        conn, key="T0", status=TaskStatus.BLOCKED, blocked_reason=HOSTILE[0], agent=HOSTILE[1]
    )
    page.open(write(conn, tmp_path / "hostile.html"))
    page.run("document.querySelectorAll('.card').forEach((card) => card.click())")

    assert page.run("return typeof owned") == "undefined"
    assert sorted(page.texts(".card .title")) == sorted(words[:500] for words in HOSTILE)
    assert page.run("return document.querySelectorAll('img, svg, script, style').length") == 4
    assert page.run("return document.documentElement.scrollWidth") == WIDE[0]
    assert page.complaints() == []


def test_cards_say_by_whom_and_what_is_waited_for(page: Page, conn: Conn, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    tasks.create_many(
        conn,
        [
            NewTask(key="A", title="Lay it", priority=1),
            NewTask(
                key="B",
                title="Build it",
                status=TaskStatus.IN_PROGRESS,
                claim_agent="ann",
                started_at=now - timedelta(hours=5),
            ),
            NewTask(key="C", title="Ship it"),
            NewTask(key="D", title="Check it", status=TaskStatus.IN_REVIEW),
        ],
        [NewDependency("C", "A"), NewDependency("C", "B")],
    )
    page.open(write(conn, tmp_path / "small.html"))

    cards = {state: page.texts(f"[data-state='{state}'] .card") for state in ("ready", "waiting")}
    assert cards == {
        "ready": ["AcriticalP1Lay itholds back 1"],
        "waiting": ["CcriticalShip itfor A and 1 more"],
    }
    (begun,) = page.texts("[data-state='in_progress'] .card .why")
    assert begun.startswith("ann · 5 h")
    assert page.texts("[data-state='in_review'] .card .key") == ["D"]


def test_bars_are_those_of_the_schedule(page: Page, conn: Conn, tmp_path: Path) -> None:
    tasks.create_many(
        conn,
        [
            NewTask(key=key, title=key, estimated_hours=Decimal(hours))
            for key, hours in (("A", 2), ("B", 3), ("C", 1), ("D", 4))
        ],
        [NewDependency("B", "A"), NewDependency("C", "A"), NewDependency("D", "C")],
    )
    page.open(write(conn, tmp_path / "small.html"))

    planned = planning.schedule(conn)
    said = page.run("return [...document.querySelectorAll('.g-button')].map((e) => e.ariaLabel)")
    for row in planned:
        hours = f"hour {float(row.earliest_start_hours):g} to {float(row.earliest_finish_hours):g}"
        (label,) = [each for each in said if each.startswith(f"{row.key} ")]
        assert hours in label
        assert ("critical path" in label) == (row.path_step is not None)
    widths = page.run(
        "return [...document.querySelectorAll('.g-row')].map((row) => "
        "[row.querySelector('.key').textContent, row.querySelector('.bar').offsetWidth])"
    )
    wide = dict(widths)
    assert wide["D"] == pytest.approx(4 * wide["C"], rel=0.02)
    page.run("document.getElementById('only-path').click()")
    assert page.texts(".g-row .key") == ["A", "C", "D"]


def test_everything_can_be_reached_by_keyboard(page: Page, conn: Conn, tmp_path: Path) -> None:
    tasks.create_many(
        conn,
        [NewTask(key=f"T{n:02}", title=f"Part {n}") for n in range(60)],
        [NewDependency("T59", "T00")],
    )
    page.open(write(conn, tmp_path / "sixty.html"))

    page.press(Keys.TAB)
    assert page.focused("className") == "skip"
    page.press(Keys.TAB)
    assert page.focused() == "search"
    page.press(Keys.TAB)
    assert page.focused() == "theme"
    page.press("t")
    assert page.run("return document.documentElement.dataset.theme") == "dark"
    # One stop for each group: past the board, the schedule and the graph in few steps. Charts
    # have their figures in words.
    stops = []
    for _ in range(80):
        page.press(Keys.TAB)
        stops.append(
            page.run("return document.activeElement.closest('section, nav, footer')?.id ?? ''")
        )
        if stops[-1] == "changes":
            break
    assert [name for name in dict.fromkeys(stops) if name] == [
        name for name in SECTIONS if name != "flow"
    ]
    assert stops.count("board") < 10
    assert stops.count("schedule") < 8

    page.run("document.activeElement.blur()")
    page.press("/", *"t07")
    assert page.focused() == "search"
    page.wait("return document.querySelectorAll('.card').length === 1")
    assert page.texts("#found") == ["1 task found"]
    page.press(Keys.ENTER)
    assert page.focused() == "panel-title"
    assert page.texts("#panel .panel-head .key") == ["T07"]
    page.press(Keys.ESCAPE)
    assert page.focused() == "search"
    page.press(Keys.ESCAPE)
    page.wait("return document.querySelectorAll('.card').length > 20")


def test_arrow_keys_move_within_the_board_the_schedule_and_the_graph(
    page: Page, conn: Conn, tmp_path: Path
) -> None:
    tasks.create_many(
        conn,
        [NewTask(key=f"T{n:03}", title=f"Part {n}") for n in range(200)],
        [NewDependency("T199", "T000")],
    )
    page.open(write(conn, tmp_path / "many.html"))
    card = "return document.activeElement.querySelector('.key').textContent"

    page.run("document.querySelector('.card[tabindex=\"0\"]').focus()")
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert page.run(card) == "T002"
    page.press(Keys.ARROW_RIGHT)
    assert page.run(card) == "T199"
    page.press(Keys.ENTER)
    assert page.focused() == "panel-title"
    page.press(Keys.ESCAPE)
    assert page.run(card) == "T199"

    page.run("document.querySelector('.g-button[tabindex=\"0\"]').focus()")
    page.press(Keys.END)
    page.wait(f"{card} === 'T199'")
    page.press(Keys.HOME)
    page.wait("return document.activeElement.closest('.g-row')?.dataset.row === '0'")

    page.run("document.getElementById('cy').focus()")
    before = page.run(f"return [{GRAPH}.zoom(), {GRAPH}.pan().x]")
    page.press("+", Keys.ARROW_RIGHT)
    after = page.run(f"return [{GRAPH}.zoom(), {GRAPH}.pan().x]")
    assert after[0] == pytest.approx(before[0] * 1.3, rel=0.01)
    assert after[1] < before[1]
    page.press("n")
    assert page.run("return document.getElementById('panel').hidden") is False


def test_the_graph_fades_what_the_search_does_not_find(
    page: Page, conn: Conn, tmp_path: Path
) -> None:
    tasks.create_many(
        conn,
        [
            NewTask(key=key, title=title)
            for key, title in (("A", "red"), ("B", "green"), ("C", "red"))
        ],
        [NewDependency("B", "A"), NewDependency("C", "B")],
    )
    page.open(write(conn, tmp_path / "colours.html"))
    xs = page.run(f"return {GRAPH}.nodes().map((node) => node.position().x)")
    assert xs == sorted(xs)
    assert len(set(xs)) == 3

    page.press("/", *"green")
    page.wait("return document.querySelectorAll('.card').length === 1")
    faded = f"return {GRAPH}.nodes('.faded').map((node) => node.data('task').key)"
    assert sorted(page.run(faded)) == ["A", "C"]


def with_measured(conn: Conn, hours: float, number: int = 6) -> None:
    """Finish tasks that took so long each."""
    done = datetime.now(UTC) - timedelta(days=1)
    begun = done - timedelta(hours=hours)
    tasks.create_many(
        conn,
        [
            NewTask(
                key=f"done-{n}",
                title="Done",
                status=TaskStatus.COMPLETED,
                created_at=begun - timedelta(hours=1),
                completed_at=done,
            )
            for n in range(number)
        ],
    )
    ids = exchange.tasks_by_key(conn, keys=[f"done-{n}" for n in range(number)])
    moves = (
        (TaskStatus.PENDING, TaskStatus.IN_PROGRESS, begun),
        (TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED, done),
    )
    rows = [(row.id, *move) for row in ids for move in moves]
    exchange.import_history(
        conn,
        source="test",
        task_ids=[task for task, _, _, _ in rows],
        old_statuses=[old for _, old, _, _ in rows],
        new_statuses=[new for _, _, new, _ in rows],
        agents=["ann"] * len(rows),
        notes=[None] * len(rows),
        are_forced=[False] * len(rows),
        moments=[at for _, _, _, at in rows],
    )


def forecast(page: Page) -> dict[str, str]:
    page.wait("return !document.querySelector('.compare').textContent.includes('…')")
    rows = page.run(
        "return [...document.querySelectorAll('.compare tr')].map((row) => "
        "[row.children[0].textContent, row.children[2].textContent])"
    )
    return dict(rows)


def test_the_forecast_follows_dependencies_and_agents(
    page: Page, conn: Conn, tmp_path: Path
) -> None:
    """Each finished task took two hours: 8 open ones are 16 hours of work, a chain of 3 six."""
    with_measured(conn, 2)
    tasks.create_many(
        conn,
        [NewTask(key=f"T{n}", title="Open", estimated_hours=Decimal(9)) for n in range(8)],
        [NewDependency("T1", "T0"), NewDependency("T2", "T1")],
    )
    page.open(write(conn, tmp_path / "forecast.html"))

    assert forecast(page) == {
        "1 agent": "16 h",
        "2 agents": "8 h",
        "4 agents": "6 h",
        "8 agents": "6 h",
        "16 agents": "6 h",
    }
    assert "6 finished tasks" in page.texts("#forecast-body .hint")[0]


def test_without_finished_work_the_forecast_is_the_plans(
    page: Page, conn: Conn, tmp_path: Path
) -> None:
    tasks.create_many(
        conn, [NewTask(key=f"T{n}", title="Open", estimated_hours=Decimal(3)) for n in range(4)]
    )
    page.open(write(conn, tmp_path / "forecast.html"))

    assert forecast(page)["2 agents"] == "6 h"
    assert page.texts("#forecast-body .hint")[0].startswith("No finished work was measured")


@needs_data
def test_the_same_plan_has_the_same_forecast(page: Page, conn: Conn, tmp_path: Path) -> None:
    import_plan(conn, "shark", DATA / "shark/db/2026-01-02_4068e716")
    path = write(conn, tmp_path / "shark.html")
    page.open(path)
    forecast(page)
    once = page.texts("#forecast-body")
    page.open(path)
    forecast(page)

    assert page.texts("#forecast-body") == once
    ends = [float(each.split()[0].replace(",", "")) for each in forecast(page).values()]
    assert len(set(ends)) > 2


def test_a_plan_without_tasks_says_so(page: Page, conn: Conn, tmp_path: Path) -> None:
    page.open(write(conn, tmp_path / "empty.html"))

    said = page.texts(".empty")
    assert "Nothing is open." in said
    assert "Nothing can be claimed now." in said
    assert page.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_read(page: Page, conn: Conn, tmp_path: Path, scheme: str) -> None:
    """Text has a contrast of 4.5 at the least (WCAG 2, 1.4.3)."""
    page.open(write(conn, tmp_path / "empty.html"), scheme=scheme)

    assert [pair for pair in page.run(CONTRASTS) if pair[1] < 4.5] == []


def test_parts_are_landmarks_with_headings(page: Page, conn: Conn, tmp_path: Path) -> None:
    tasks.create(conn, key="T-1", title="One")
    page.open(write(conn, tmp_path / "one.html"))

    landmarks = "header, nav, main, footer"
    assert page.run(f"return document.querySelectorAll('{landmarks}').length") == 4
    assert page.run(NAMELESS) == []
    levels = page.run(
        "return [...document.querySelectorAll('h1, h2, h3')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def made_up(conn: Conn, number: int) -> None:
    """Fill the plan with chains of five."""
    keys = [f"T-{n:05}" for n in range(number)]
    tasks.create_many(
        conn,
        [NewTask(key=key, title=f"Do what {key} says", description="Words. " * 30) for key in keys],
        [NewDependency(keys[n], keys[n - 1]) for n in range(number) if n % 5],
    )


def test_a_large_plan_has_a_small_document(page: Page, conn: Conn, tmp_path: Path) -> None:
    """Columns show a page of cards, the schedule the rows in view, the graph what is joined."""
    made_up(conn, 10_000)
    path = write(conn, tmp_path / "large.html")
    page.open(path)

    assert page.run("return document.querySelectorAll('*').length") < 2500
    assert page.run(f"return {GRAPH}.nodes().length") == 1500
    # A search draws what it finds, and what is joined to it.
    page.press("/", *"t-09999")
    page.wait("return document.querySelector('#found').textContent === '1 task found'")
    assert sorted(page.run(f"return {GRAPH}.nodes().map((node) => node.data('task').key)")) == [
        f"T-{number:05}" for number in range(9995, 10_000)
    ]
    assert path.stat().st_size < 6 * 1024 * 1024


@pytest.mark.timing
def test_a_thousand_tasks_are_interactive_within_two_seconds(
    page: Page, conn: Conn, tmp_path: Path
) -> None:
    made_up(conn, 1000)
    page.open(write(conn, tmp_path / "thousand.html"), draw=False)

    mark = "return performance.getEntriesByName('interactive')[0].startTime"
    assert page.run(mark) < 2000
