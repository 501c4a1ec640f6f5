"""Combinations of a statement's conditional lines to look at: all, or every pair.

Each switch has several states, of which one holds: a group of arguments is left out or given, a
choice has one of its values. A state is the set of facts that are true in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Final

from taskdb.query._switches import Facts, Row, State, Switches

__all__ = ["MOST_COMBINATIONS", "combined"]

MOST_COMBINATIONS: Final = 64
"""Limit up to which all combinations are looked at; beyond, each state alone and every pair."""


def combined(switches: Switches, most: int | None = MOST_COMBINATIONS) -> Iterator[Facts]:
    """Yield the facts of each combination that can be: all, or every pair beyond *most*.

    The number of pairwise combinations grows with the logarithm of the number of switches.
    """
    count = 1
    for states in switches.states:
        count *= len(states)
    rows = _all(switches) if most is None or count <= most else _pairwise(switches)
    yield from dict.fromkeys(switches.facts(row) for row in rows)


def _all(switches: Switches) -> Iterator[Row]:
    for numbers in product(*(range(len(states)) for states in switches.states)):
        row: Row | None = {}
        for switch, number in enumerate(numbers):
            row = switches.with_state(row, switch, number)
        if row is not None:
            yield row


def _pairwise(switches: Switches) -> Iterator[Row]:
    """Yield each state alone, all together, halves of them, and rows until each pair was seen.

    A half is on where a digit of the switches' numbers is 1, and then where it is 0. Each further
    row begins with a pair not yet seen, and takes for each switch the state that adds most pairs
    (the greedy construction of covering arrays: Cohen et al., AETG, 1997).
    """
    sizes = [len(states) for states in switches.states]
    alone = [range(size) for size in sizes]
    rows = [switches.filled({}, alone), switches.filled({}, [each[::-1] for each in alone])]
    for digit in range(len(sizes).bit_length()):
        for on in (0, 1):
            halves = [each[:: 1 - 2 * (n >> digit & 1 ^ on)] for n, each in enumerate(alone)]
            rows.append(switches.filled({}, halves))
    for switch, size in enumerate(sizes):
        for number in range(size):
            begun = switches.with_state({}, switch, number)
            rows.append(switches.filled(begun, alone))
    unseen = {
        ((one, a), (other, b)): None
        for one, other in combinations(range(len(sizes)), 2)
        for a, b in product(range(sizes[one]), range(sizes[other]))
    }
    for row in rows:
        if row is not None:
            _note(row, unseen)
            yield row
    while unseen:
        (one, other), _ = unseen.popitem()
        begun = switches.with_state(switches.with_state({}, *one), *other)
        row = _richest(switches, begun, unseen)
        if row is not None:
            _note(row, unseen)
            yield row


def _richest(
    switches: Switches, row: Row | None, unseen: Mapping[tuple[State, State], None]
) -> Row | None:
    """Return *row* filled switch by switch with the state that is in most pairs not yet seen."""
    for switch, states in enumerate(switches.states):
        if row is not None and switch not in row:
            taken = list(row.items())
            gains = {
                number: sum(_pair((switch, number), state) in unseen for state in taken)
                for number in range(len(states))
            }
            row = switches.with_first(row, switch, sorted(gains, key=lambda number: -gains[number]))
    return row


def _pair(one: State, other: State) -> tuple[State, State]:
    return (one, other) if one < other else (other, one)


def _note(row: Row, unseen: dict[tuple[State, State], None]) -> None:
    for one, other in combinations(sorted(row.items()), 2):
        unseen.pop((one, other), None)
