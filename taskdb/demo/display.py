"""Display of the agents at work: a live picture on a terminal, else a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from taskdb.models.admin.demo import AgentAtWork
from taskdb.models.types import TaskStatus
from taskdb.text import clean

__all__ = ["Display", "Picture", "for_console"]

STEPS: Final = 10
SHOWN: Final = (TaskStatus.IN_PROGRESS, TaskStatus.PENDING, TaskStatus.BLOCKED)


@dataclass(frozen=True, slots=True)
class Picture:
    """The state of the plan at one moment. `killed` maps an agent to the task it held."""

    open_at_start: int
    done: int
    counts: Mapping[TaskStatus, int]
    agents: Sequence[AgentAtWork]
    killed: Mapping[str, str]

    @property
    def headline(self) -> str:
        """The counts as one line."""
        rest = [f"{self.counts.get(status, 0)} {_words(status)}" for status in SHOWN]
        return f"{self.done} of {self.open_at_start} done, {', '.join(rest)}"


class Display(Protocol):
    """Shows pictures and events; used with `with`."""

    def __enter__(self) -> Display: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, picture: Picture) -> None:
        """Show the state of the plan."""
        ...

    def tell(self, event: str) -> None:
        """Say that something happened; it stays on the screen."""
        ...


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

    def show(self, picture: Picture) -> None:
        """Print the headline if another tenth is done."""
        step = picture.done * STEPS // max(picture.open_at_start, 1)
        if step > self._step:
            self._step = step
            self.tell(picture.headline)

    def tell(self, event: str) -> None:
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

    def show(self, picture: Picture) -> None:
        """Redraw."""
        bar = ProgressBar(total=max(picture.open_at_start, 1), completed=picture.done, width=22)
        head = Table.grid(padding=(0, 1))
        head.add_row(" ", bar, Text(picture.headline, no_wrap=True, overflow="ellipsis"))
        agents = Table.grid(padding=(0, 2))
        agents.add_column(no_wrap=True, min_width=max(len(row.name) for row in picture.agents) + 2)
        agents.add_column(no_wrap=True, min_width=len("9999 done"), justify="right")
        agents.add_column(no_wrap=True, overflow="ellipsis")
        for agent in picture.agents:
            agents.add_row(f"  {agent.name}", f"{agent.completed_count} done", _at(agent, picture))
        self._live.update(Group(head, agents))

    def tell(self, event: str) -> None:
        """Print *event* above the picture."""
        self._console.print(Text(f"  {clean(event)}"))


def _at(agent: AgentAtWork, picture: Picture) -> Text:
    held = picture.killed.get(agent.name)
    if held is not None:
        return Text(f"killed at {clean(held)}", style="red")
    if agent.key is None:
        return Text("looking for work", style="dim")
    return Text(f"{clean(agent.key)}  {clean(agent.title)}")


def _words(status: TaskStatus) -> str:
    return {TaskStatus.PENDING: "ready"}.get(status, status.value.replace("_", " "))
