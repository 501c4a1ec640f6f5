"""The page of a plan in a real browser: what is seen, by whom, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from taskdb.exchange import import_plan
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import planning, tasks
from tests.exchange_files import needs_data, write_lines
from tests.report.browser import PHONE, SECTIONS, WIDE, Page, needs_chromium
from tests.report.writing import GRAPH, Conn, write

pytestmark = needs_chromium


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_plan_without_tasks_says_so(page: Page, conn: Conn, tmp_path: Path) -> None:
    page.open(write(conn, tmp_path / "empty.html"))

    said = page.texts(".empty")
    assert "Nothing is open." in said
    assert "There is no task." in said
    assert "Nothing is open: all is done." not in said
    # No more room than the words need, and nothing to press.
    heights = page.run(
        "return ['gantt', 'cy'].map((id) => document.getElementById(id).offsetHeight)"
    )
    assert max(heights) < 100
    assert page.run("return document.getElementById('graph-in').offsetHeight") == 0
    assert "Nothing can be claimed now." in said
    assert page.complaints() == []


@pytest.mark.slow
def test_names_in_the_graph_stay_within_their_boxes(page: Page, conn: Conn, tmp_path: Path) -> None:
    family = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
    titles = ("w" * 480, family * 80, "\u8d85\u957f" * 100, "An ordinary title", "two words " * 9)
    for number, title in enumerate(titles):
        tasks.create(conn, key=f"T-{number}", title=title)
    page.open(write(conn, tmp_path / "wide.html"))

    labels: list[str] = page.run(f"return {GRAPH}.nodes().map((node) => node.data('label'))")
    shown = {label.partition("\n")[0]: label.partition("\n")[2] for label in labels}
    assert shown["T-3"] == "An ordinary title"
    # Lines break between words.
    assert shown["T-4"].split("\n")[0].split()[-1] in ("two", "words")
    # No letter is cut in two, and there are two lines.
    faces = shown["T-1"].replace(family, "").replace("\n", "")
    assert faces == "\u2026"
    for number in (0, 1, 2, 4):
        lines = shown[f"T-{number}"].replace(family, "F").split("\n")
        assert len(lines) == 2
    first = shown["T-0"].split("\n")[0]
    line, box = page.run(
        "const pen = document.createElement('canvas').getContext('2d');"
        "pen.font = '11px system-ui, sans-serif';"
        f"return [pen.measureText(arguments[0]).width, {GRAPH}.nodes()[0].width()];",
        first,
    )
    assert box / 2 < line < box


@pytest.mark.slow
def test_the_legend_covers_no_task(page: Page, conn: Conn, tmp_path: Path) -> None:
    made_up(conn, 10)
    page.open(write(conn, tmp_path / "legend.html"))

    bottom, top = page.run(
        "return [document.getElementById('cy').getBoundingClientRect().bottom,"
        " document.getElementById('legend').getBoundingClientRect().top]"
    )
    assert bottom <= top


@pytest.mark.slow
def test_the_last_tick_of_the_schedule_is_whole(page: Page, conn: Conn, tmp_path: Path) -> None:
    tasks.create(conn, key="T-1", title="Long", estimated_hours=Decimal(8736))
    page.open(write(conn, tmp_path / "tick.html"))

    ends = page.run(
        "const right = (e) => e.getBoundingClientRect().right;"
        "return [[...document.querySelectorAll('.tick')].at(-1),"
        " document.querySelector('.gantt-inner')].map(right)"
    )
    assert ends[0] <= ends[1]


@pytest.mark.slow
def test_all_rows_of_the_schedule_are_on_paper(page: Page, conn: Conn, tmp_path: Path) -> None:
    made_up(conn, 200)
    page.open(write(conn, tmp_path / "paper.html"))
    before = page.run("return document.querySelectorAll('.g-row').length")
    media = "Emulation.setEmulatedMedia"
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.driver.execute_cdp_cmd(media, {"media": "print", "features": dark})
    page.wait("return document.querySelectorAll('.g-row').length === 200")
    ink = page.run("return getComputedStyle(document.documentElement).getPropertyValue('--ink')")
    page.driver.execute_cdp_cmd(media, {"media": ""})

    assert before < 60
    assert ink.strip() == "#171a21"


@pytest.mark.slow
def test_tasks_that_came_since_are_added_also_imported_ones(
    page: Page, conn: Conn, tmp_path: Path
) -> None:
    rows = [
        {
            "id": f"b-{n}",
            "title": f"Task {n}",
            "status": "open",
            "created_at": f"2026-0{n}-01T00:00:00Z",
        }
        for n in range(1, 5)
    ]
    rows.append({**rows[0], "id": "b-9", "status": "closed", "closed_at": "2026-02-01T00:00:00Z"})
    import_plan(conn, "beads", write_lines(tmp_path / "issues.jsonl", *rows))
    since = datetime(2026, 1, 15, tzinfo=UTC)
    page.open(write(conn, tmp_path / "came.html", since=since))

    assert page.texts("#changes-body .figures li") == ["3 added", "1 done"]


def made_up(conn: Conn, number: int) -> None:
    """Fill the plan with chains of five."""
    keys = [f"T-{n:05}" for n in range(number)]
    tasks.create_many(
        conn,
        [NewTask(key=key, title=f"Do what {key} says", description="Words. " * 30) for key in keys],
        [NewDependency(keys[n], keys[n - 1]) for n in range(number) if n % 5],
    )


@pytest.mark.slow
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
