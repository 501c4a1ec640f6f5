"""The cycles of a graph, found in time linear in its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

__all__ = ["closing_edges"]

# A long cycle keeps this many keys of its beginning and of its end: a file may hold thousands of
# cycles of thousands of keys.
KEPT_KEYS: Final = 100


def closing_edges(
    nodes: Sequence[str], edges: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, ...]]:
    """Yield a cycle ``(a, b, ..., a)`` for each edge that closes one, in the order of *nodes*.

    *edges* leads from a node to those it waits for. The walk is depth first; the last step
    of each cycle, from its last but one node to its first, is an edge back to a node whose own
    walk is not finished. Without those edges no cycle is left, and each of them alone would
    close its cycle again. Visits every node and every edge once. Of a cycle of more than 200
    keys the middle is left out.
    """
    finished: set[str] = set()
    for start in nodes:
        if start in finished:
            continue
        path = [start]
        place = {start: 0}
        walks = [iter(edges.get(start, ()))]
        while path:
            for blocker in walks[-1]:
                if blocker in place:
                    yield (*_ends(path, place[blocker]), blocker)
                elif blocker not in finished:
                    place[blocker] = len(path)
                    path.append(blocker)
                    walks.append(iter(edges.get(blocker, ())))
                    break
            else:
                walks.pop()
                node = path.pop()
                del place[node]
                finished.add(node)


def _ends(path: list[str], start: int) -> list[str]:
    if len(path) - start <= 2 * KEPT_KEYS:
        return path[start:]
    return path[start : start + KEPT_KEYS] + path[-KEPT_KEYS:]
