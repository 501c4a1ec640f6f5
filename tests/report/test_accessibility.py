"""The report page without a mouse, by a screen reader's names, and with its colours."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.queries import tasks
from tests.report.browser import SECTIONS, Page, needs_chromium
from tests.report.writing import GRAPH, Conn, write

pytestmark = [needs_chromium, pytest.mark.slow]


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
    const states = ["ready", "in_progress", "in_review", "waiting", "on_hold", "failed", "done"];
    const pairs = [["ink", "page"], ["ink", "card"], ["muted", "page"], ["muted", "card"],
        ["accent", "card"], ["path", "path-soft"], ["muted", "waiting-soft"],
        ...states.flatMap((state) =>
            [[state, "card"], [state, `${state}-soft`], ["muted", `${state}-soft`]])];
    return pairs.map(([one, other]) => [`${one} on ${other}`, contrast(one, other)]);
"""


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
