"""`taskdb doctor`: does what must always hold, hold?"""

from __future__ import annotations

import click

from taskdb.cli.common import Target, json_option, with_target

__all__ = ["doctor"]


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can safely be mended, and say what.")
@json_option
@with_target
def doctor(target: Target, *, repair: bool, as_json: bool) -> None:
    """Check what must always hold, row by row.

    Exit status 1 if something does not. With --repair counters and caches are set right, in one
    transaction, and what that can't mend is reported.

    Example: taskdb doctor --workspace demo
    """
