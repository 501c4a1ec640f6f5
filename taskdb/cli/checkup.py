"""`taskdb doctor`: does what must always hold, hold?"""

from __future__ import annotations

import click
from click.exceptions import Exit

from taskdb.admin import doctor as examination
from taskdb.admin.doctor import Finding, Overdue, Repair
from taskdb.cli.common import (
    Target,
    heading,
    json_option,
    print_json,
    print_table,
    with_target,
)

__all__ = ["doctor"]


@click.command()
@click.option("--repair", is_flag=True, help="Repair derived data.")
@json_option
@with_target
def doctor(target: Target, *, repair: bool, as_json: bool) -> None:
    """Check what must always hold, row by row.

    Exit status 1 if something does not. With --repair counts, ranks, caches and other derived data
    are set right, all in one transaction; what was changed is printed, and what is left is checked
    again. Tasks that have been overdue for an hour, because nobody claims, are listed as well.

    Example: taskdb doctor --workspace demo
    """
    with target.connect(patient=True) as conn:
        repairs = examination.repair(conn) if repair else []
        findings = examination.run(conn)
        overdue = examination.overdue(conn)
    if as_json:
        done = {"repairs": repairs} if repair else {}
        print_json({"findings": findings, "overdue": overdue, **done})
    else:
        _print(findings, repairs, repair)
        _tell_overdue(overdue)
    if findings:
        raise Exit(1)


def _print(findings: list[Finding], repairs: list[Repair], repairing: bool) -> None:
    if repairs:
        heading("Repaired")
        print_table(
            ["invariant", "of", "change"],
            [(row.invariant, row.subject, row.message) for row in repairs],
        )
    elif repairing:
        click.echo("Nothing had to be repaired.")
    if not findings:
        click.echo("Everything holds.")
        return
    if repairs:
        heading("\nLeft")
    print_table(
        ["invariant", "of", "found"],
        [(row.invariant, row.subject, row.message) for row in findings],
    )
    if not repairing:
        click.echo("`taskdb doctor --repair` repairs what follows from the rest.", err=True)


def _tell_overdue(overdue: list[Overdue]) -> None:
    if overdue:
        heading("\nOverdue: no agent claims")
        print_table(
            ["task", "why", "since"],
            [(task.key, task.reason, task.since) for task in overdue],
        )
