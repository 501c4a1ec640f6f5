"""Switches of a statement's conditional lines, each with its states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

__all__ = ["Facts", "Row", "State", "Switches"]

Facts: TypeAlias = frozenset[str]
State: TypeAlias = tuple[int, int]
Row: TypeAlias = dict[int, int]


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
        self._forced: dict[State, list[State]] = {}
        for fact, others in needs.items():
            for other, holds in others:
                if fact in place and other in place:
                    switch, number = place[other]
                    state = (switch, number if holds else 0)
                    self._forced.setdefault(place[fact], []).append(state)

    def facts(self, row: Row) -> Facts:
        """Return what is true in a row, which has a state of each switch."""
        return Facts().union(*(self.states[switch][number] for switch, number in row.items()))

    def with_state(self, row: Row | None, switch: int, number: int) -> Row | None:
        """Return *row* with this state and those it needs, or None if it has others already."""
        if row is None:
            return None
        row = dict(row)
        todo = [(switch, number)]
        for state in todo:
            if row.setdefault(*state) != state[1]:
                return None
            todo += [each for each in self._forced.get(state, []) if each not in todo]
        return row

    def with_first(self, row: Row, switch: int, numbers: Iterable[int]) -> Row | None:
        """Return *row* with the first of these states of a switch that can be."""
        tries = (self.with_state(row, switch, number) for number in numbers)
        return next((each for each in tries if each is not None), None)

    def filled(self, row: Row | None, order: Sequence[Sequence[int]]) -> Row | None:
        """Return *row* with a state of each switch, the first in its *order* that can be."""
        for switch, numbers in enumerate(order):
            if row is not None and switch not in row:
                row = self.with_first(row, switch, numbers)
        return row
