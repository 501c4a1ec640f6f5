"""`taskdb check plans`, and `taskdb db seed`, which makes the data it looks at."""

from __future__ import annotations

import click

from taskdb.admin import dataset, seed
from taskdb.cli.common import Target, json_option, print_json, queries_of, with_target
from taskdb.database import connect, workspaces
from taskdb.models.admin.seed import Seeded
from taskdb.query.check import plans

__all__ = ["FEWEST_TASKS", "FULL_SIZE", "plan_report", "seed_command"]

FULL_SIZE = 1_000_000
# With fewer nearly every table fits a few pages, and reading all of it is right.
FEWEST_TASKS = 20_000


def plan_report(conninfo: str, tasks: int) -> plans.PlanReport:
    """Check all plans on a data set of *tasks* tasks, on the server of *conninfo*."""
    every = [query for queries in queries_of(None) for query in queries]
    database = dataset.prepare(conninfo, tasks=tasks, show=lambda line: click.echo(line, err=True))
    with connect(database, workspace=workspaces.DEFAULT) as conn:
        return plans.check(conn, every, scale=tasks / FULL_SIZE)


@click.command("seed")
@click.option(
    "--tasks", type=click.IntRange(1, seed.MOST_TASKS), required=True, help="How many tasks."
)
@click.option("--seed", "number", default=1, show_default=True, help="Another number, other data.")
@json_option
@with_target
def seed_command(target: Target, *, tasks: int, number: int, as_json: bool) -> None:
    """Fill an empty workspace with a large made-up plan.

    With it come epics, features, dependencies, claims, history, checklists and files, workflows,
    specifications, projects, templates and tech-spec sessions, as skewed as real ones. A million
    tasks take some minutes. A workspace that has tasks is refused; a run that is interrupted leaves
    nothing behind.

    Example: taskdb db seed --tasks 100000 --workspace large
    """
    made: list[Seeded] = []
    with target.connect(patient=True) as conn:
        for step in seed.steps(conn, tasks=tasks, seed=number):
            made.append(step)
            if not as_json:
                click.echo(f"{step.row_count:>10,}  {step.statement}, {step.seconds:.1f} s")
        conn.commit()
    if as_json:
        print_json(made)
