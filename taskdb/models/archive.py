"""Contents of an export."""

from dataclasses import dataclass

from taskdb.models.base import Model


@dataclass(slots=True)
class ExportedTable(Model):
    """A table, with the columns that the server does not compute."""

    name: str
    columns: list[str]


@dataclass(slots=True)
class ExportedSequence(Model):
    """A sequence, and where it goes on."""

    name: str
    last_value: int
    is_called: bool
