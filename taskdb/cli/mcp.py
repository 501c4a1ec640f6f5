"""`taskdb mcp`: the verbs as tools, for agents without a shell."""

from __future__ import annotations

import click

from taskdb.cli.common import Target, with_target

__all__ = ["mcp"]


@click.command()
@click.option(
    "--agent", metavar="NAME", envvar="TASKDB_AGENT", show_envvar=True, help="Who calls the tools."
)
@with_target
def mcp(target: Target, *, agent: str | None) -> None:
    """Serve claim, brief, complete and their kind as tools of the Model Context Protocol.

    Over standard input and output, as the agent's program starts it. Needs the extra taskdb[mcp].

    Example: taskdb mcp --agent dev-1 --workspace demo
    """
    from taskdb.verbs.tools import server

    # Report a wrong database now, and not by the first tool.
    target.connect().close()
    server(target.connect, agent=agent).run("stdio")
