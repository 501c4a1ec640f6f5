"""`taskdb stats --health`: figures of workspace and server, for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import click

from taskdb.cli.common import Target, print_json, print_table
from taskdb.health import MOST, HealthFigures

__all__ = ["show_figures"]


def show_figures(target: Target, *, as_json: bool) -> None:
    """Print the figures, for people or as JSON."""
    from taskdb.health import collect

    with target.connect() as conn:
        health = collect(conn)
    if as_json:
        print_json(health)
    else:
        _print_figures(health)


def _print_figures(health: HealthFigures) -> None:
    print_table(["figure", "value"], list(_lines(health)))
    click.echo()
    print_table(
        ["table", "live tuples", "dead tuples", "updates", "of them HOT"],
        [
            (
                table.name,
                table.live_tuple_count,
                table.dead_tuple_count,
                table.update_count,
                _share(table.hot_update_count, table.update_count),
            )
            for table in health.tables
        ],
    )
    if hidden := health.server.hidden_session_count:
        click.echo(
            f"{hidden} sessions of other roles are hidden from this one: "
            "grant it pg_read_all_stats to see what they hold and do",
            err=True,
        )


def _lines(health: HealthFigures) -> Iterator[tuple[str, str]]:
    tasks, server = health.tasks, health.server
    yield "ready tasks", _count(tasks.ready_count)
    yield "ready for, at most", _time(health.oldest_ready_age)
    yield "blocked tasks", _count(tasks.blocked_count)
    yield "tasks in progress", _count(tasks.in_progress_count)
    yield "tasks in review", _count(tasks.in_review_count)
    yield "failed tasks", _count(tasks.failed_count)
    yield "lapsed leases", _count(tasks.lapsed_lease_count)
    yield "lapsed for, at most", _time(tasks.longest_lapse)
    yield "oldest snapshot", _time(server.oldest_snapshot_age)
    yield "transactions since then", str(server.oldest_snapshot_transactions or 0)
    yield "waits for locks", str(server.lock_wait_count)
    yield "waiting for, at most", _time(server.longest_lock_wait)
    yield "queue of notifications", f"{server.notification_queue_usage:.1%} used"
    yield "other sessions", f"{server.session_count} of {server.max_connections}"
    yield "active sessions", str(server.active_session_count)
    yield "idle in a transaction", str(server.idle_in_transaction_count)


def _count(number: int) -> str:
    return f"{number} or more" if number >= MOST else str(number)


def _time(duration: timedelta | None) -> str:
    if duration is None:
        return "-"
    return str(timedelta(seconds=round(duration.total_seconds())))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"
