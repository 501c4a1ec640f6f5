"""`taskdb roles`: who may use a workspace, and as what."""

from __future__ import annotations

import click
import psycopg

from taskdb.cli.common import Target, json_option, print_json, print_table, with_target
from taskdb.database import connect
from taskdb.database import roles as work
from taskdb.queries.admin import workspaces as queries

__all__ = ["roles"]

kind_option = click.option(
    "--as",
    "kind",
    type=click.Choice(work.KINDS),
    help="What it may do: owner all, app what taskdb's functions do, worker claim, reader read.",
)


@click.group()
def roles() -> None:
    """Let roles use a workspace: as owner, app, worker or reader.

    An owner migrates it and hands out rights; an app does all that taskdb's functions do; a
    worker claims tasks and ends its claims; a reader reads. docs/privileges.md has every right.

    Example: taskdb roles grant planner --as app --workspace team_a
    """


@roles.command()
@click.argument("role")
@kind_option
@click.option("--password", is_flag=True, help="Ask for a password; it is sent as a secret only.")
@with_target
def create(target: Target, *, role: str, kind: work.Kind | None, password: bool) -> None:
    """Create a role that may log in.

    With --as it is granted the workspace too.

    Example: taskdb roles create planner --as app --password
    """
    secret = None
    if password:
        secret = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with _connect(target) as conn, conn.transaction():
        made = work.create(conn, role, password=secret)
        click.echo(f"Role {role} {'created' if made else 'was there: its password is unchanged'}.")
        if kind is not None:
            _grant(target, conn, role, kind)


@roles.command()
@click.argument("role")
@kind_option
@click.option("--shared", is_flag=True, help="Only the schema `shared`, for another owner's role.")
@with_target
def grant(target: Target, *, role: str, kind: work.Kind | None, shared: bool) -> None:
    """Let a role use the workspace.

    What it was granted before is taken back. An owner of a workspace that is not there yet gets
    an empty one, to migrate.

    Example: taskdb roles grant planner --as app --workspace team_a
    """
    if shared == (kind is not None):
        raise click.UsageError("Give --as or --shared, one of the two")
    with _connect(target) as conn, conn.transaction():
        if kind is None:
            work.grant_shared(conn, role)
            click.echo(f"Role {role} may use schema shared.")
        else:
            _grant(target, conn, role, kind)


@roles.command()
@click.argument("role")
@with_target
def revoke(target: Target, *, role: str) -> None:
    """Take back what a role was granted.

    Example: taskdb roles revoke planner --workspace team_a
    """
    with _connect(target) as conn, conn.transaction():
        work.revoke(conn, target.place()[1], role)
    click.echo(f"Role {role} may do nothing in workspace {target.place()[1]}.")


@roles.command()
@click.argument("role", required=False)
@json_option
@with_target
def show(target: Target, *, role: str | None, as_json: bool) -> None:
    """List who may use the workspace, or one role's rights.

    Example: taskdb roles show planner
    """
    workspace = target.place()[1]
    with _connect(target) as conn:
        granted = work.show(conn, workspace)
        rights = [row for row in queries.list_acl(conn, workspace=workspace) if row.role == role]
    if as_json:
        print_json(granted if role is None else rights)
    elif role is None:
        rows = [(row.role, row.kind, "yes" if row.can_login else "no") for row in granted]
        print_table(["role", "as", "may log in"], rows)
    else:
        print_table(
            ["right", "on", "column"],
            [(row.privilege, f"{row.schema}.{row.object}", row.column) for row in rights],
        )


def _connect(target: Target) -> psycopg.Connection:
    """Open a connection whatever is migrated: a new owner's workspace is not there yet."""
    return connect(target.conninfo(), workspace=target.place()[1], autocommit=True)


def _grant(target: Target, conn: psycopg.Connection, role: str, kind: work.Kind) -> None:
    workspace = target.place()[1]
    work.grant(conn, workspace, role, kind)
    article = "an" if kind in ("owner", "app") else "a"
    click.echo(f"Role {role} may use workspace {workspace} as {article} {kind}.")
