"""Combinations of a statement's conditional lines to look at: all, or every pair.

Each switch has several states, of which one holds: a group of arguments is left out or given, a
choice has one of its values. A state is the set of facts that are true in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Final, TypeAlias

__all__ = ["MOST_COMBINATIONS", "Facts", "Switches", "combined"]

MOST_COMBINATIONS: Final = 64
"""Limit up to which all combinations are looked at; beyond, each state alone and every pair."""

Facts: TypeAlias = frozenset[str]
_State: TypeAlias = tuple[int, int]
_Row: TypeAlias = dict[int, int]


class Switches:
    """The switches of one statement, each with its states, and what each state needs of others.

    *needs* says by fact which facts must hold with it, and which must not.
    """

    def __init__(
        self,
        states: Sequence[Sequence[Facts]],
        needs: Mapping[str, Sequence[tuple[str, bool]]],
    ) -> None:
        self.states = states
        place = {
            fact: (switch, number)
            for switch, each in enumerate(states)
            for number, facts in enumerate(each)
            for fact in facts
        }
        self._forced: dict[_State, list[_State]] = {}
        for fact, others in needs.items():
            for other, holds in others:
                if fact in place and other in place:
                    switch, number = place[other]
                    state = (switch, number if holds else 0)
                    self._forced.setdefault(place[fact], []).append(state)

    def facts(self, row: _Row) -> Facts:
        """Return what is true in a row, which has a state of each switch."""
        return Facts().union(*(self.states[switch][number] for switch, number in row.items()))

    def with_state(self, row: _Row, switch: int, number: int) -> _Row | None:
        """Return *row* with this state and those it needs, or None if it has others already."""
        row = dict(row)
        todo = [(switch, number)]
        for state in todo:
            if row.setdefault(*state) != state[1]:
                return None
            todo += [each for each in self._forced.get(state, []) if each not in todo]
        return row

    def filled(self, row: _Row, order: Sequence[Sequence[int]]) -> _Row | None:
        """Return *row* with a state of each switch, the first in its *order* that can be."""
        for switch, numbers in enumerate(order):
            if switch not in row:
                tries = (self.with_state(row, switch, number) for number in numbers)
                found = next((each for each in tries if each is not None), None)
                if found is None:
                    return None
                row = found
        return row


def combined(switches: Switches, most: int | None = MOST_COMBINATIONS) -> Iterator[Facts]:
    """Yield the facts of each combination that can be: all, or every pair beyond *most*.

    The number of pairwise combinations grows with the logarithm of the number of switches.
    """
    count = 1
    for states in switches.states:
        count *= len(states)
    rows = _all(switches) if most is None or count <= most else _pairwise(switches)
    yield from dict.fromkeys(switches.facts(row) for row in rows)


def _all(switches: Switches) -> Iterator[_Row]:
    for numbers in product(*(range(len(states)) for states in switches.states)):
        row: _Row | None = {}
        for switch, number in enumerate(numbers):
            row = None if row is None else switches.with_state(row, switch, number)
        if row is not None:
            yield row


def _pairwise(switches: Switches) -> Iterator[_Row]:
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
            rows.append(None if begun is None else switches.filled(begun, alone))
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
        begun = switches.with_state({}, *one)
        begun = None if begun is None else switches.with_state(begun, *other)
        row = None if begun is None else _richest(switches, begun, unseen)
        if row is not None:
            _note(row, unseen)
            yield row


def _richest(
    switches: Switches, row: _Row, unseen: Mapping[tuple[_State, _State], None]
) -> _Row | None:
    """Return *row* filled switch by switch with the state that is in most pairs not yet seen."""
    for switch, states in enumerate(switches.states):
        if switch not in row:
            taken = list(row.items())
            gains = {
                number: sum(_pair((switch, number), state) in unseen for state in taken)
                for number in range(len(states))
            }
            order = sorted(gains, key=lambda number: -gains[number])
            tries = (switches.with_state(row, switch, number) for number in order)
            found = next((each for each in tries if each is not None), None)
            if found is None:
                return None
            row = found
    return row


def _pair(one: _State, other: _State) -> tuple[_State, _State]:
    return (one, other) if one < other else (other, one)


def _note(row: _Row, unseen: dict[tuple[_State, _State], None]) -> None:
    for one, other in combinations(sorted(row.items()), 2):
        unseen.pop((one, other), None)
