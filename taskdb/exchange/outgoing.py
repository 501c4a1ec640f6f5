"""The writers of other programs' files, by their names on the command line."""

from __future__ import annotations

from typing import Final

from taskdb.exchange.beadswriter import export_beads
from taskdb.exchange.boardwriter import export_board
from taskdb.exchange.csvwriter import export_csv
from taskdb.exchange.taskmasterwriter import export_taskmaster

__all__ = ["WRITERS"]

WRITERS: Final = {
    "beads": export_beads,
    "taskmaster": export_taskmaster,
    "csv": export_csv,
    "markdown": export_board,
}
