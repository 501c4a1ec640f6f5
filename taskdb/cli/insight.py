"""For people: what decides when a plan is done, what can run in parallel, and pictures of it."""

from __future__ import annotations

from collections.abc import Sequence

import click
import psycopg

from taskdb import pictures
from taskdb.cli.common import Target, json_option, print_json, print_table, with_target
from taskdb.models.planning import PlannedTask
from taskdb.queries import epics, features, planning
from taskdb.queries import graph as drawn

__all__ = ["critical_path", "graph", "waves"]

KEYS_SHOWN = 6

epic_option = click.option("--epic", metavar="KEY", help="Of this epic.")
feature_option = click.option("--feature", metavar="KEY", help="Of this feature.")


@click.command("critical-path")
@epic_option
@feature_option
@click.option("--all", "everything", is_flag=True, help="Every open task, with its slack.")
@json_option
@with_target
def critical_path(
    target: Target, *, epic: str | None, feature: str | None, everything: bool, as_json: bool
) -> None:
    """Show the longest chain of open tasks: it decides when all is done.

    Hours are of work, from now, with agents enough: a task's estimate, else the median of its
    agent type, else one. Tasks outside the epic or feature that its own wait for count too.

    Example: taskdb critical-path --epic E04 --all
    """
    with target.connect() as conn:
        _refuse_unknown(conn, epic, feature)
        ask = planning.schedule if everything else planning.critical_path
        found = ask(conn, epic=epic, feature=feature)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("Nothing is open.", err=True)
        return
    print_table(
        ["", "key", "status", "hours", "start", "finish", "slack", "", "title"],
        [_planned(row) for row in found],
    )
    last = max(row.earliest_finish_hours for row in found if row.in_scope)
    click.echo(f"{last} hours of work, one after the other, at the least.", err=True)


def _planned(row: PlannedTask) -> tuple[object, ...]:
    marks = [mark for mark, holds in (("stuck", row.stuck), ("outside", not row.in_scope)) if holds]
    return (
        row.path_step,
        row.key,
        row.status,
        f"{row.hours}",
        row.earliest_start_hours,
        row.earliest_finish_hours,
        row.slack_hours,
        ", ".join(marks),
        row.title,
    )


@click.command()
@epic_option
@feature_option
@json_option
@with_target
def waves(target: Target, *, epic: str | None, feature: str | None, as_json: bool) -> None:
    """Show what can run in parallel, wave by wave, and how many agents it can feed.

    Wave 1 waits for nothing, wave 2 for something of wave 1, and so on.

    Example: taskdb waves --epic E04
    """
    with target.connect() as conn:
        _refuse_unknown(conn, epic, feature)
        found = planning.execution_waves(conn, epic=epic, feature=feature)
    if as_json:
        print_json(found)
        return
    print_table(
        ["wave", "agents", "longest", "hours", "stuck", "tasks"],
        [
            (
                row.wave,
                row.task_count,
                row.longest_hours,
                row.total_hours,
                row.stuck_count or "",
                _some(row.keys),
            )
            for row in found
        ],
    )
    if not found:
        click.echo("Nothing is open.", err=True)


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - KEYS_SHOWN} more" if len(keys) > KEYS_SHOWN else ""
    return " ".join(keys[:KEYS_SHOWN]) + more


@click.command()
@click.option("--epic", metavar="KEY", help="Of this epic only.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["mermaid", "dot"]),
    default="mermaid",
    show_default=True,
    help="For Mermaid, or for Graphviz.",
)
@click.option(
    "--by",
    type=click.Choice(["task", "feature"]),
    help=f"What a box is. Default: a feature, if there are over {pictures.LARGE} tasks.",
)
@with_target
def graph(target: Target, *, epic: str | None, kind: str, by: str | None) -> None:
    """Draw what waits for what, as text for Mermaid or Graphviz.

    Colours are statuses; the critical path is red and thick; what is dashed lies outside the
    epic, or is a suggestion.

    Example: taskdb graph --epic E04 --format dot | dot -Tsvg > E04.svg
    """
    with target.connect() as conn:
        _refuse_unknown(conn, epic, None)
        count = drawn.size(conn, epic=epic)
        by_feature = by == "feature" or (by is None and count > pictures.LARGE)
        if by_feature:
            picture = pictures.draw_features(conn, epic=epic)
            left_out = count - sum(
                row.task_count for row in drawn.feature_nodes(conn, epic=epic, limit=pictures.MOST)
            )
        else:
            picture = pictures.draw_tasks(conn, epic=epic)
            left_out = max(count - pictures.MOST, 0)
    draw = pictures.as_dot if kind == "dot" else pictures.as_mermaid
    click.echo(draw(picture), nl=False)
    if by_feature and by is None:
        click.echo(f"{count} tasks, drawn by feature; --by task draws each.", err=True)
    if left_out:
        reason = "of no feature" if by_feature else "too many"
        click.echo(f"{left_out} tasks are not in the picture: {reason}.", err=True)


def _refuse_unknown(conn: psycopg.Connection, epic: str | None, feature: str | None) -> None:
    if epic is not None:
        epics.get_by_key(conn, epic)
    if feature is not None:
        features.get_by_key(conn, feature)
