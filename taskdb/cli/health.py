"""`taskdb stats --health` and `taskdb metrics`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from datetime import timedelta

import click

from taskdb.cli.common import Target, print_table, with_target
from taskdb.database.settings import Settings
from taskdb.health import MOST, HealthFigures

__all__ = ["metrics", "tell"]


def tell(health: HealthFigures) -> None:
    """Print the figures for people."""
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


def _address(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, int] | None:
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{value!r} is no address; write it as HOST:PORT")
    return host.strip("[]"), int(port)


@click.command()
@click.option(
    "--listen",
    "address",
    callback=_address,
    metavar="HOST:PORT",
    help="Answer scrapes there until SIGTERM or Ctrl-C.",
)
@with_target
def metrics(target: Target, *, address: tuple[str, int] | None) -> None:
    """Print the health of the workspace in Prometheus' text format, or serve it.

    docs/operations.md says what each metric means. A service that has an endpoint of its own
    registers `taskdb.health.exposition.Exposition` there instead.

    Example: taskdb metrics --listen 127.0.0.1:9187
    """
    from prometheus_client import CollectorRegistry, generate_latest

    from taskdb.health.exposition import Exposition, serve

    target.connect().close()
    exposition = Exposition(Settings.read(target.conninfo(), workspace=target.workspace))
    if address is None:
        registry = CollectorRegistry()
        registry.register(exposition)
        click.echo(generate_latest(registry).decode(), nl=False)
        exposition.close()
        return
    over = threading.Event()

    def end(*_: object) -> None:
        over.set()

    signal.signal(signal.SIGTERM, end)
    server, _ = serve(exposition, *address)
    click.echo(f"listening on {address[0]}, port {server.server_port}", err=True)
    try:
        over.wait()
    finally:
        server.shutdown()
        exposition.close()
