"""`taskdb spec`: specifications to read, and from files."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import psycopg

from taskdb.cli.common import (
    Target,
    json_option,
    naming,
    print_json,
    print_table,
    with_target,
)
from taskdb.errors import NotFoundError
from taskdb.exchange.phases import LEVELS
from taskdb.exchange.specfile import import_spec, render_phase, render_spec
from taskdb.models.specs import Phase, SpecSummary
from taskdb.queries import specs
from taskdb.text import clean

__all__ = ["spec"]

LISTING = "db psql -c 'select key, title from technical_specs'"


@click.group()
def spec() -> None:
    """Specifications: as Markdown, and from Markdown files.

    Example: taskdb spec show SPEC-116 --phase 2
    """


@spec.command()
@click.argument("key")
@click.option("--phase", "name", metavar="NAME", help="One phase only, by its name or number.")
@json_option
@with_target
def show(target: Target, *, key: str, name: str | None, as_json: bool) -> None:
    """Print a specification as Markdown, or one phase of it.

    One that was imported comes out as its file was, to the byte. On a terminal control
    characters are shown as their codes.

    Example: taskdb spec show SPEC-116 > SPEC-116.md
    """
    with target.connect() as conn:
        with naming(target, "specification", key, listing=LISTING):
            there = specs.get_summary(conn, key=key)
        found = specs.get_by_key(conn, key=key) if name is None else _phase(conn, there, name)
    text = render_phase(found) if isinstance(found, Phase) else render_spec(found)
    if as_json:
        print_json(found)
    elif sys.stdout.isatty():
        click.echo("\n".join(clean(line.expandtabs(4)) for line in text.splitlines()))
    else:
        # As bytes: a stream of text may change the ends of lines.
        click.echo(text.encode(), nl=False)


@spec.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--number", type=click.IntRange(1, 999_999_999), help="Its number; 116: SPEC-116.")
@click.option("--title", help="Its title. Default: the document's first heading.")
@click.option("--item", metavar="ID", help="The roadmap item that it specifies, as US-116.")
@click.option(
    "--level",
    type=click.IntRange(LEVELS.start, LEVELS.stop - 1),
    help="How many # begin a phase. Default: the fewest of those that do.",
)
@click.option("--whole", is_flag=True, help="Keep it whole, with no phases.")
@click.option("--replace", is_flag=True, help="Put the file's new text in the place of the old.")
@json_option
@with_target
def import_(
    target: Target,
    *,
    file: Path,
    number: int | None,
    title: str | None,
    item: str | None,
    level: int | None,
    whole: bool,
    replace: bool,
    as_json: bool,
) -> None:
    """Make a specification of a Markdown file.

    Headings such as "## Phase 1", "### Milestone 2" or "#### Stage 3" begin its phases; without
    any it is kept whole. To import a file again changes nothing.

    Example: taskdb spec import docs/rollout.md --item US-116
    """
    with target.connect(patient=True) as conn:
        made = import_spec(
            conn,
            file,
            title=title,
            spec_number=number,
            roadmap_item_id=item,
            level=level,
            whole=whole,
            replace=replace,
        )
    if as_json:
        print_json(made)
        return
    click.echo(f"{made.key}  {clean(made.title)}  {made.state}, {len(made.phases)} phases")
    if made.phases:
        print_table(
            ["number", "bytes", "phase"],
            [(phase.number, phase.bytes, phase.name) for phase in made.phases],
        )


def _phase(conn: psycopg.Connection, there: SpecSummary, name: str) -> Phase:
    """Return the phase of this name, or else of this number."""
    key = there.key
    names = specs.list_phases(conn, key=key)
    for phase in names:
        if phase.name == name:
            return specs.get_phase(conn, key=key, name=name)
    for phase in names:
        if str(phase.number) == name:
            return specs.get_phase(conn, key=key, number=phase.number)
    if not names:
        raise NotFoundError(f"{there.key} has no phases: it is kept whole")
    listed = ", ".join(f"{phase.number} ({phase.name})" for phase in names)
    raise NotFoundError(f"{there.key} has no phase {name}, but {listed}")
