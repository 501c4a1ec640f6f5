"""Displays of the demo: on a terminal a live view, else a line for each tenth of the work."""

from __future__ import annotations

from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from taskdb.demo.display import Display, Snapshot
from taskdb.models.admin.demo import AgentAtWork
from taskdb.text import clean

__all__ = ["for_console"]

STEPS: Final = 10


def for_console(console: Console) -> Display:
    """Return the display that fits *console*."""
    animated = console.is_terminal and not console.is_dumb_terminal
    return LiveDisplay(console) if animated else PlainDisplay(console)


class PlainDisplay:
    """A line for each tenth of the work."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = 0

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, snapshot: Snapshot) -> None:
        """Print the headline if another tenth is done."""
        step = snapshot.done * STEPS // max(snapshot.open_at_start, 1)
        if step > self._step:
            self._step = step
            self.report(snapshot.headline)

    def report(self, event: str) -> None:
        """Print *event*."""
        self._console.print(Text(f"  {clean(event)}"), soft_wrap=True)


class LiveDisplay:
    """A bar, and a line for each agent, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=12, transient=True)

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Redraw."""
        bar = ProgressBar(total=max(snapshot.open_at_start, 1), completed=snapshot.done, width=22)
        head = Table.grid(padding=(0, 1))
        head.add_row(" ", bar, Text(snapshot.headline, no_wrap=True, overflow="ellipsis"))
        agents = Table.grid(padding=(0, 2))
        agents.add_column(no_wrap=True, min_width=max(len(row.name) for row in snapshot.agents) + 2)
        agents.add_column(no_wrap=True, min_width=len("9999 done"), justify="right")
        agents.add_column(no_wrap=True, overflow="ellipsis")
        for agent in snapshot.agents:
            agents.add_row(f"  {agent.name}", f"{agent.completed_count} done", _at(agent, snapshot))
        self._live.update(Group(head, agents))

    def report(self, event: str) -> None:
        """Print *event* above the view."""
        self._console.print(Text(f"  {clean(event)}"))


def _at(agent: AgentAtWork, snapshot: Snapshot) -> Text:
    held = snapshot.killed.get(agent.name)
    if held is not None:
        return Text(f"killed at {clean(held)}", style="red")
    if agent.key is None:
        return Text("looking for work", style="dim")
    return Text(f"{clean(agent.key)}  {clean(agent.title)}")
