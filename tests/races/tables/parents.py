"""Races of parents."""

from __future__ import annotations

from taskdb.errors import CircularDependencyError
from tests.races.acts import parents_are, plan, puts_under, tree
from tests.races.race import Race

PARENTS = [
    Race(
        "x under y, y under x",
        plan("x", "y"),
        puts_under("x", "y"),
        puts_under("y", "x"),
        parents_are("x<y"),
        CircularDependencyError,
    ),
    Race(
        "a tree under its own branch, in two moves",
        tree("top", "mid<top", "low<mid", "x"),
        puts_under("x", "low"),
        puts_under("top", "x"),
        parents_are("mid<top low<mid x<low"),
        CircularDependencyError,
    ),
    Race(
        "two moves that don't meet",
        tree("top", "mid<top", "x", "x2"),
        puts_under("x", "mid"),
        puts_under("mid", "x2"),
        parents_are("x<mid mid<x2"),
    ),
]
