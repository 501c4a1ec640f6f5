"""`taskdb prune`: what is old goes."""

from __future__ import annotations

import re
from datetime import timedelta

import click

from taskdb.admin import retention
from taskdb.cli.common import Target, json_option, print_json, print_table, with_target

__all__ = ["prune"]

_AGE = re.compile(r"(?P<count>\d{1,6})(?P<unit>[hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def _age(context: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    match = _AGE.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no age; write it as 36h, 90d or 12w")
    return timedelta(**{_UNITS[match["unit"]]: int(match["count"])})


@click.command()
@click.option("--older-than", callback=_age, required=True, metavar="AGE", help="36h, 90d, 12w.")
@click.option("--dry-run", is_flag=True, help="Only count; nothing is deleted.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 100_000),
    default=retention.BATCH,
    show_default=True,
    help="Rows a transaction.",
)
@json_option
@with_target
def prune(
    target: Target, *, older_than: timedelta, dry_run: bool, batch_size: int, as_json: bool
) -> None:
    """Delete old messages of tech-spec sessions, and old errors of their agents.

    The oldest go first, batch by batch, each in a transaction of its own: a run that is interrupted
    is run again. Sessions, research, documents, claims and history stay. The age is reckoned by
    the server's clock.

    Example: taskdb prune --older-than 90d --dry-run
    """
    with target.connect(patient=True) as conn:
        before = retention.cutoff(conn, older_than)
        rows = dict.fromkeys(retention.TABLES, 0)
        found = (
            retention.count_old(conn, before=before)
            if dry_run
            else retention.prune(conn, before=before, batch_size=batch_size)
        )
        for part in found:
            rows[part.table] += part.row_count
    if as_json:
        print_json({"before": before, "dry_run": dry_run, "rows": rows})
        return
    print_table(["table", "would go" if dry_run else "deleted"], rows.items())
    click.echo(f"Older than {before:%Y-%m-%d %H:%M} UTC.", err=True)
