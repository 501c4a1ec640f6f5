"""Pictures: who is drawn, how, and that no title can break out of its box."""

from __future__ import annotations

import html
import re
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdb.admin.diagrams import (
    Arrow,
    Box,
    Diagram,
    Line,
    as_dot,
    as_mermaid,
    draw_features,
    draw_tasks,
)
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import epics, features, tasks
from tests.plans import Plan

Conn = psycopg.Connection[Any]

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
HOSTILE = [
    'say "no"',
    "A --> B",
    "x]:::failed",
    "a\nb\r\nc",
    "end",
    'back\\slash \\N "q\\"',
    "<script>alert(1)</script>",
    "&lt;b&gt; #35; #quot;",
    "%% comment %%{init: {}}%%",
    "`markdown` **bold**",
    "ünïcødé 任务 🚀 \u202eevil",
    "subgraph x; class n0 failed",
    "\x1b[31mred",
]


@pytest.fixture
def other_epic(conn: Conn, plan: Plan) -> str:
    """A second epic with a task that the small plan's `design` waits for."""
    epic = epics.create(conn, key="E02", title="Another")
    feature = features.create(conn, epic_id=epic.id, key="E02-F01", title="Elsewhere")
    tasks.create_many(
        conn,
        [NewTask(key="far", title="Far", feature_id=feature.id, estimated_hours=Decimal(9))],
        [NewDependency(plan.design, "far")],
    )
    return "far"


def drawn(diagram: Diagram) -> dict[tuple[str, str], Line]:
    return {(edge.first, edge.then): edge.line for edge in diagram.edges}


def test_tasks_are_drawn_in_the_order_of_work_with_the_critical_path(
    conn: Conn, plan: Plan
) -> None:
    tasks.update_status(conn, key=plan.design, status=TaskStatus.COMPLETED, force=True)
    tasks.update(conn, key=plan.test, estimated_hours=Decimal(8))

    diagram = draw_tasks(conn)

    names = [node.name for node in diagram.nodes]
    assert set(names) == set(plan.tasks)
    assert all(names.index(edge.first) < names.index(edge.then) for edge in diagram.edges)
    assert {node.name for node in diagram.nodes if node.critical} == {
        plan.build,
        plan.test,
        plan.release,
    }
    assert drawn(diagram) == {
        (plan.design, plan.build): Line.SATISFIED,
        (plan.build, plan.test): Line.CRITICAL,
        (plan.build, plan.docs): Line.HOLDS,
        (plan.test, plan.release): Line.CRITICAL,
        (plan.docs, plan.release): Line.HOLDS,
        (plan.design, plan.docs): Line.SUGGESTS,
    }
    assert {node.name: node.colour for node in diagram.nodes}[plan.design] == "completed"


def test_an_epic_shows_what_it_waits_for_outside(conn: Conn, plan: Plan, other_epic: str) -> None:
    diagram = draw_tasks(conn, epic=plan.epic)

    assert plan.chore not in {node.name for node in diagram.nodes}
    (outside,) = [node for node in diagram.nodes if node.outside]
    assert (outside.name, outside.critical) == (other_epic, True)
    assert drawn(diagram)[other_epic, plan.design] is Line.CRITICAL


def test_features_are_drawn_with_their_progress_and_what_they_wait_for(
    conn: Conn, plan: Plan, other_epic: str
) -> None:
    tasks.update_status(conn, key=plan.design, status=TaskStatus.COMPLETED, force=True)

    diagram = draw_features(conn, epic=plan.epic)

    first, second = plan.features
    labels = {node.name: node.label for node in diagram.nodes}
    assert labels[first] == (first, f"Feature {first}", "1 of 3 done")
    assert labels[second] == (second, f"Feature {second}", "0 of 2 done")
    colours = {node.name: node.colour for node in diagram.nodes}
    assert (colours[first], colours[second]) == ("in_progress", "pending")
    assert {(e.first, e.then): e.label for e in diagram.edges} == {
        # build holds docs, test holds release.
        (first, second): "2",
        ("E02-F01", first): "1",
    }
    assert drawn(diagram)[first, second] is Line.CRITICAL


def test_every_feature_is_drawn_without_an_epic(conn: Conn, plan: Plan, other_epic: str) -> None:
    diagram = draw_features(conn)

    assert [node.name for node in diagram.nodes] == [*plan.features, "E02-F01"]
    assert not any(node.outside for node in diagram.nodes)


def test_an_empty_plan_is_an_empty_picture(conn: Conn) -> None:
    assert draw_tasks(conn) == draw_features(conn) == Diagram()
    assert as_mermaid(Diagram()) == "flowchart LR\n"
    assert as_dot(Diagram()).startswith("digraph plan {")


EXAMPLE = Diagram(
    [
        Box("A", ("A (completed)", "First"), "completed", "E01-F01"),
        Box("B", ("B (pending)", "Second"), "pending", "E01-F02", critical=True),
        Box("C", ("C (blocked)", "Third"), "blocked", None, outside=True),
    ],
    [Arrow("A", "B", Line.SATISFIED), Arrow("B", "C", Line.CRITICAL, "2")],
)


def test_mermaid_has_boxes_groups_classes_and_links() -> None:
    assert as_mermaid(EXAMPLE) == (
        "flowchart LR\n"
        '    subgraph g0["E01-F01"]\n'
        '    n0["A (completed)<br/>First"]:::completed\n'
        "    end\n"
        '    subgraph g1["E01-F02"]\n'
        '    n1["B (pending)<br/>Second"]:::pending\n'
        "    end\n"
        '    n2["C (blocked)<br/>Third"]:::blocked\n'
        "    n0 --> n1\n"
        '    n1 ==>|"2"| n2\n'
        "    classDef pending fill:#ffffff,stroke:#333333,color:#000000\n"
        "    classDef blocked fill:#ffe3b3,stroke:#333333,color:#000000\n"
        "    classDef completed fill:#bfe6bf,stroke:#333333,color:#000000\n"
        "    classDef critical stroke:#c4161c,stroke-width:4px\n"
        "    class n1 critical\n"
        "    classDef outside stroke-dasharray:6 4\n"
        "    class n2 outside\n"
        "    linkStyle 1 stroke:#c4161c,stroke-width:4px\n"
        "    linkStyle 0 stroke:#999999\n"
    )


def test_dot_has_boxes_clusters_and_edges() -> None:
    text = as_dot(EXAMPLE)

    assert "    subgraph cluster_0 {\n        label=" in text
    assert 'n0 [label="A (completed)\\nFirst", fillcolor="#bfe6bf"];' in text
    assert 'fillcolor="#ffffff", color="#c4161c", penwidth=3];' in text
    assert 'style="filled,rounded,dashed"];' in text
    assert 'n1 -> n2 [label="2", color="#c4161c", penwidth=3];' in text


def one(title: str) -> Diagram:
    return Diagram([Box(title, (title,), "pending")], [Arrow(title, title, Line.HOLDS, title)])


def mermaid_label(title: str) -> str:
    """Return what Mermaid shows: numbers become characters, and only they are special."""
    text = as_mermaid(one(title))
    (label,) = re.findall(r'^    n0\["([^"]*)"\]:::pending$', text, re.MULTILINE)
    assert re.fullmatch(r"(?:[\w .,:()/-]|#\d+;)*", label)
    assert re.search(r'^    n0 -->\|"[^"]*"\| n0$', text, re.MULTILINE)
    assert len(text.splitlines()) == 4
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label)


def dot_label(title: str) -> str:
    """Return what Graphviz shows, read by its rules of quoting and escaping."""
    text = as_dot(one(title))
    outside_of_strings = QUOTED.sub("", text)
    assert re.fullmatch(r"[\w\s=\[\]{},;>-]*", outside_of_strings)
    assert len(text.splitlines()) == 8
    (label,) = re.findall(r'\[label=("(?:[^"\\]|\\.)*"), fillcolor', text)
    return html.unescape(re.sub(r"\\(.)", r"\1", label[1:-1]))


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_title_stays_text(title: str) -> None:
    shown = " ".join(title.split()).replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")

    assert mermaid_label(title) == shown
    assert dot_label(title) == shown


@pytest.mark.slow
@given(st.text(min_size=1, max_size=40))
def test_any_title_stays_text(title: str) -> None:
    assert mermaid_label(title) == dot_label(title)


def test_long_titles_are_cut() -> None:
    assert mermaid_label("word " * 100).endswith("…")


def test_a_suggestion_does_not_move_boxes() -> None:
    diagram = Diagram(EXAMPLE.nodes, [Arrow("A", "B", Line.SUGGESTS)])

    assert "n0 -> n1 [style=dashed, constraint=false];" in as_dot(diagram)
    assert "n0 -.-> n1" in as_mermaid(diagram)
