"""Diagrams of a plan: what waits for what, as text that Mermaid or Graphviz draws.

Arrows go with the work, from what comes first to what waits for it. Colours are statuses,
which the labels name too; the critical path is red and thick; what lies outside the epic is
dashed, and so is a suggestion. A plan of many tasks is drawn by features.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby, pairwise
from typing import Any, Final
from uuid import UUID

import psycopg

from taskdb.models.types import DependencyType
from taskdb.queries import graph, planning
from taskdb.queries.fields import Key
from taskdb.query import checked
from taskdb.text import clean, shorten

__all__ = [
    "LARGE",
    "MERMAID_CHARACTERS",
    "MERMAID_EDGES",
    "MOST",
    "Arrow",
    "Box",
    "Diagram",
    "Line",
    "as_dot",
    "as_mermaid",
    "draw_features",
    "draw_tasks",
    "too_large_for_mermaid",
]

# More tasks than these don't fit on a screen.
LARGE: Final = 150
# No viewer shows more.
MOST: Final = 10_000
# More than these Mermaid refuses to draw, and says so in place of the diagram, unless the page is
# configured otherwise (maxEdges, maxTextSize): a diagram can't ask for more.
MERMAID_EDGES: Final = 500
MERMAID_CHARACTERS: Final = 50_000
LABEL: Final = 48

COLOURS: Final = {
    "pending": "#ffffff",
    "blocked": "#ffe3b3",
    "in_progress": "#b3d7ff",
    "in_review": "#d9c7f7",
    "completed": "#bfe6bf",
    "failed": "#f5b5b0",
    "cancelled": "#dddddd",
    "archived": "#dddddd",
}
CRITICAL: Final = "#c4161c"
INK: Final = "#333333"
FAINT: Final = "#999999"


class Line(StrEnum):
    """Style of an edge."""

    HOLDS = "holds"
    CRITICAL = "critical"
    SATISFIED = "satisfied"
    SUGGESTS = "suggests"


@dataclass(frozen=True, slots=True)
class Box:
    """A box: `name` tells it from others, `colour` is a status."""

    name: str
    label: tuple[str, ...]
    colour: str
    group: str | None = None
    critical: bool = False
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from what comes first to what waits for it."""

    first: str
    then: str
    line: Line
    label: str = ""


@dataclass(slots=True)
class Diagram:
    """Boxes in the order of work, and arrows between them."""

    nodes: list[Box] = field(default_factory=list[Box])
    edges: list[Arrow] = field(default_factory=list[Arrow])


@checked
def draw_tasks(
    conn: psycopg.Connection[Any],
    *,
    epic: Key | None = None,
    task_ids: list[UUID] | None = None,
    only_open: bool = False,
) -> Diagram:
    """Return a diagram of the tasks of an epic, of these, or of all: 10,000 at most.

    With *only_open* what they wait for is drawn only where it is not finished.
    """
    path = [task.key for task in planning.critical_path(conn, epic=epic, task_ids=task_ids)]
    steps = set(pairwise(path))
    diagram = Diagram()
    for task in graph.nodes(conn, epic=epic, task_ids=task_ids, limit=MOST):
        label = (f"{task.key} ({task.status})", task.title)
        group = task.feature_key
        critical = task.key in path
        diagram.nodes.append(Box(task.key, label, task.status, group, critical))
    known = {node.name for node in diagram.nodes}
    for edge in graph.edges(conn, epic=epic, task_ids=task_ids, limit=MOST):
        finished = edge.satisfied and edge.blocker_key not in known
        if edge.key not in known or (only_open and finished):
            continue
        if edge.blocker_key not in known:
            known.add(edge.blocker_key)
            label = (f"{edge.blocker_key} ({edge.blocker_status})", edge.blocker_title)
            critical = edge.blocker_key in path
            diagram.nodes.append(
                Box(edge.blocker_key, label, edge.blocker_status, None, critical, outside=True)
            )
        line = Line.HOLDS
        if edge.dependency_type is DependencyType.SUGGESTS:
            line = Line.SUGGESTS
        elif edge.satisfied:
            line = Line.SATISFIED
        elif (edge.blocker_key, edge.key) in steps:
            line = Line.CRITICAL
        diagram.edges.append(Arrow(edge.blocker_key, edge.key, line))
    return diagram


@checked
def draw_features(conn: psycopg.Connection[Any], *, epic: Key | None = None) -> Diagram:
    """Return a diagram of the features of an epic, or of all, with how far each is.

    A feature is on the critical path if one of its tasks is. Tasks of no feature are left out.
    """
    path = [task.id for task in planning.critical_path(conn, epic=epic)]
    passed = [key for key, _ in groupby(graph.features_of(conn, path))] if path else []
    steps = set(pairwise(passed))
    diagram = Diagram()
    for feature in graph.feature_nodes(conn, epic=epic, limit=MOST):
        done = f"{feature.completed_count} of {feature.counted_count} done"
        diagram.nodes.append(
            Box(
                feature.key,
                (feature.key, feature.title, done),
                _colour_of(feature.completed_count, feature.counted_count),
                critical=feature.key in passed,
            )
        )
    known = {node.name for node in diagram.nodes}
    for edge in graph.feature_edges(conn, epic=epic, limit=MOST):
        if edge.key not in known:
            continue
        if edge.blocker_key not in known:
            known.add(edge.blocker_key)
            label = (edge.blocker_key, edge.blocker_title)
            critical = edge.blocker_key in passed
            diagram.nodes.append(
                Box(edge.blocker_key, label, "pending", None, critical, outside=True)
            )
        line = Line.HOLDS if edge.open_count else Line.SATISFIED
        if edge.open_count and (edge.blocker_key, edge.key) in steps:
            line = Line.CRITICAL
        number = str(edge.open_count or edge.edge_count)
        diagram.edges.append(Arrow(edge.blocker_key, edge.key, line, number))
    return diagram


def _colour_of(completed: int, counted: int) -> str:
    if completed == 0:
        return "pending"
    return "completed" if completed == counted else "in_progress"


def _grouped(diagram: Diagram) -> Iterator[tuple[str | None, list[Box]]]:
    """Yield the boxes of each group; the group is None where there is none, or only one."""
    groups: dict[str | None, list[Box]] = {}
    for node in diagram.nodes:
        groups.setdefault(node.group, []).append(node)
    named = [group for group in groups if group is not None]
    for group, nodes in groups.items():
        yield (group if len(named) > 1 else None), nodes


def _line(text: str) -> str:
    return clean(shorten(" ".join(text.split()), LABEL))


# Mermaid


@checked
def as_mermaid(diagram: Diagram) -> str:
    """Return *diagram* as a Mermaid flowchart.

    In labels every character that could mean something to Mermaid, or to the browser, is
    written as its number (`#34;`).
    """
    names = {node.name: f"n{number}" for number, node in enumerate(diagram.nodes)}
    lines = ["flowchart LR"]
    for number, (group, nodes) in enumerate(_grouped(diagram)):
        if group is not None:
            lines.append(f'    subgraph g{number}["{_mermaid_text(_line(group))}"]')
        for node in nodes:
            label = "<br/>".join(_mermaid_text(_line(text)) for text in node.label)
            lines.append(f'    {names[node.name]}["{label}"]:::{node.colour}')
        if group is not None:
            lines.append("    end")
    arrows = {Line.HOLDS: "-->", Line.CRITICAL: "==>", Line.SATISFIED: "-->", Line.SUGGESTS: "-.->"}
    for edge in diagram.edges:
        label = f'|"{_mermaid_text(_line(edge.label))}"|' if edge.label else ""
        lines.append(f"    {names[edge.first]} {arrows[edge.line]}{label} {names[edge.then]}")
    used = {node.colour for node in diagram.nodes}
    for status, colour in COLOURS.items():
        if status in used:
            lines.append(f"    classDef {status} fill:{colour},stroke:{INK},color:#000000")
    critical = [names[node.name] for node in diagram.nodes if node.critical]
    if critical:
        lines.append(f"    classDef critical stroke:{CRITICAL},stroke-width:4px")
        lines.append(f"    class {','.join(critical)} critical")
    outside = [names[node.name] for node in diagram.nodes if node.outside]
    if outside:
        lines.append("    classDef outside stroke-dasharray:6 4")
        lines.append(f"    class {','.join(outside)} outside")
    for line, style in (
        (Line.CRITICAL, f"stroke:{CRITICAL},stroke-width:4px"),
        (Line.SATISFIED, f"stroke:{FAINT}"),
    ):
        found = [str(number) for number, edge in enumerate(diagram.edges) if edge.line is line]
        if found:
            lines.append(f"    linkStyle {','.join(found)} {style}")
    return "\n".join(lines) + "\n"


@checked
def too_large_for_mermaid(diagram: Diagram, text: str) -> bool:
    """Return whether Mermaid's default limits reject *text*, the source of *diagram*."""
    return len(diagram.edges) > MERMAID_EDGES or len(text) > MERMAID_CHARACTERS


def _mermaid_text(text: str) -> str:
    return re.sub(r"[^\w .,:()/-]", lambda found: f"#{ord(found[0])};", text)


# Graphviz


@checked
def as_dot(diagram: Diagram) -> str:
    """Return *diagram* in Graphviz's language; `dot -Tsvg` draws it."""
    names = {node.name: f"n{number}" for number, node in enumerate(diagram.nodes)}
    lines = [
        "digraph plan {",
        "    rankdir=LR;",
        '    graph [fontname="sans-serif", fontsize=11, style=rounded, color="#bbbbbb"];',
        '    node [shape=box, style="filled,rounded", fontname="sans-serif", fontsize=10, '
        f'color="{INK}"];',
        f'    edge [fontname="sans-serif", fontsize=9, color="{INK}"];',
    ]
    for number, (group, nodes) in enumerate(_grouped(diagram)):
        if group is not None:
            lines.append(f"    subgraph cluster_{number} {{")
            lines.append(f"        label={_dot_label(group)};")
        lines += [f"    {names[node.name]} [{_dot_attributes(node)}];" for node in nodes]
        if group is not None:
            lines.append("    }")
    styles = {
        Line.HOLDS: "",
        Line.CRITICAL: f'color="{CRITICAL}", penwidth=3',
        Line.SATISFIED: f'color="{FAINT}"',
        Line.SUGGESTS: "style=dashed, constraint=false",
    }
    for edge in diagram.edges:
        label = f"label={_dot_label(edge.label)}" if edge.label else ""
        attributes = ", ".join(filter(None, [label, styles[edge.line]]))
        lines.append(f"    {names[edge.first]} -> {names[edge.then]} [{attributes}];")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_attributes(node: Box) -> str:
    attributes = [f"label={_dot_label(*node.label)}", f'fillcolor="{COLOURS[node.colour]}"']
    if node.critical:
        attributes += [f'color="{CRITICAL}"', "penwidth=3"]
    if node.outside:
        attributes.append('style="filled,rounded,dashed"')
    return ", ".join(attributes)


def _dot_label(*texts: str) -> str:
    return '"' + "\\n".join(_dot_text(_line(text)) for text in texts) + '"'


def _dot_text(text: str) -> str:
    # In labels Graphviz reads backslashes and, as in HTML, ampersands.
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
