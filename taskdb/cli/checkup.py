"""`taskdb doctor`: does what must always hold, hold?"""

from __future__ import annotations

import click

from taskdb import doctor as examination  # noqa: F401
from taskdb.cli.common import Target, json_option, print_json, print_table, with_target

__all__ = ["doctor"]


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can safely be mended, and say what.")
@json_option
@with_target
def doctor(target: Target, *, repair: bool, as_json: bool) -> None:
    """Check what must always hold, row by row; exit status 1 if something does not.

    Example: taskdb doctor --workspace demo
    """
