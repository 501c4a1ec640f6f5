"""Ids of tasks on their way to task-master: numbers within a tag, and within a parent.

A task that came from such a file keeps its id as long as it stands where it stood. Every other
task gets the next number there: in the tag of its file, or in the tag master.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from taskdb.exchange.leaving import source_of
from taskdb.exchange.taskmaster import FLAT_TAG, KIND, key_of
from taskdb.models.outgoing import OutgoingTask

__all__ = ["Numbers"]

NO_TASKS: Final[list[OutgoingTask]] = []
# The tool knows two levels. Keys, and readers of JSON, take some more, but not any number.
DEEPEST: Final = 8


class Numbers:
    """The places of tasks in a ``tasks.json``, and their ids there.

    `keys` are the keys that an import of the file gives to the tasks, by the keys of now;
    `tags` are their tags by the new keys. `renumbered` counts the tasks whose keys change, and
    `raised` those that are too deep and go to a parent further up.
    """

    def __init__(self, tasks: list[OutgoingTask]) -> None:
        self.keys: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.raised = 0
        self._ids: dict[str, int | str] = {}
        self._highest: dict[str, int] = {}
        self._parents: dict[str, str | None] = {}
        self._children: defaultdict[str | None, list[OutgoingTask]] = defaultdict(list)
        # Parents before their children; those that keep their keys before those that get others.
        moved = [task for task in self._downwards(tasks) if not self._keep(task)]
        for task in moved:
            self._number(task)
        self.renumbered = len(moved)

    def by_tag(self) -> Iterator[tuple[str, list[OutgoingTask]]]:
        """Yield each tag, master first, with its tasks in the order of their ids."""
        tops: defaultdict[str, list[OutgoingTask]] = defaultdict(list)
        for task in self._children[None]:
            tops[self.tag_of(task)].append(task)
        for tag in sorted(tops, key=lambda tag: (tag != FLAT_TAG, tag)):
            yield tag, sorted(tops[tag], key=self._order)

    def children_of(self, task: OutgoingTask) -> list[OutgoingTask]:
        """Return the subtasks of a task in the order of their ids."""
        return sorted(self._children.get(task.key, NO_TASKS), key=self._order)

    def key_of(self, task: OutgoingTask) -> str:
        """Return the key that an import of the file gives to a task."""
        return self.keys[task.key]

    def tag_of(self, task: OutgoingTask) -> str:
        """Return the tag of a task."""
        return self.tags[self.keys[task.key]]

    def id_of(self, task: OutgoingTask) -> int | str:
        """Return the id of a task within its tag or parent."""
        return self._ids[self.keys[task.key]]

    def name_of(self, key: str) -> int | str:
        """Return the whole id by which other tasks name the one that has this new key."""
        whole = key.removeprefix(f"{self.tags[key]}.")
        return self._ids[key] if str(self._ids[key]) == whole else whole

    def _downwards(self, tasks: list[OutgoingTask]) -> list[OutgoingTask]:
        """Give each task its parent in the file; return the tasks, parents first."""
        below: defaultdict[str | None, list[OutgoingTask]] = defaultdict(list)
        for task in tasks:
            below[task.parent].append(task)
        ordered: list[OutgoingTask] = []
        level, depth = below[None], 0
        while level:
            for task in level:
                parent = task.parent
                if parent is not None and depth > DEEPEST:
                    parent = self._parents[parent]
                    self.raised += 1
                self._parents[task.key] = parent
                self._children[parent].append(task)
            ordered += level
            level = [child for task in level for child in below.get(task.key, NO_TASKS)]
            depth += 1
        return ordered

    def _keep(self, task: OutgoingTask) -> bool:
        """Keep the id that a task has in its file, if it still stands where it stood."""
        source, parent = source_of(task, KIND), self._parents[task.key]
        tag, raw = source.get("tag"), source.get("id")
        if not isinstance(tag, str) or (parent and self.keys.get(parent) != parent):
            return False
        above = parent or tag
        own = task.key.removeprefix(f"{above}.")
        inside = above.removeprefix(f"{tag}.") if parent else ""
        if not own or own == task.key or own.startswith(f"{inside}."):
            return False
        if isinstance(raw, str) and raw in (own, f"{inside}.{own}"):
            self._set(task, task.key, tag, raw)
        else:
            self._set(task, task.key, tag, _as_number(own))
        return True

    def _number(self, task: OutgoingTask) -> None:
        """Give a task the next number in its tag, or below its parent."""
        parent, tag = self._parents[task.key], source_of(task, KIND).get("tag")
        if parent is not None:
            above = self.keys[parent]
            tag = self.tags[above]
        else:
            above = tag = tag if isinstance(tag, str) else FLAT_TAG
        number = self._highest.get(above, 0) + 1
        while key_of(above, str(number)) in self.tags:
            number += 1
        self._set(task, key_of(above, str(number)), tag, number)

    def _set(self, task: OutgoingTask, key: str, tag: str, own: int | str) -> None:
        self.keys[task.key] = key
        self.tags[key] = tag
        self._ids[key] = own
        above = key[: -len(str(own)) - 1]
        if isinstance(own, int):
            self._highest[above] = max(own, self._highest.get(above, 0))

    def _order(self, task: OutgoingTask) -> tuple[bool, int, str]:
        own = str(self.id_of(task)).rpartition(".")[2]
        return not own.isdecimal(), int(own) if own.isdecimal() else 0, str(self.id_of(task))


def _as_number(text: str) -> int | str:
    """Return an id as a number if it is written as one."""
    return int(text) if text.isascii() and text.isdecimal() and str(int(text)) == text else text
