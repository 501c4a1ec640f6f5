"""Concurrency keys."""

from dataclasses import dataclass

from taskdb.models.base import Model


@dataclass(slots=True)
class ConcurrencyKey(Model):
    """A concurrency key: at most `at_most` of its tasks are in progress, now `running`."""

    key: str
    at_most: int
    running: int
