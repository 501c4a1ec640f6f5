"""Cells of a CSV file that a spreadsheet would take for formulas."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["guarded", "unguarded"]

# A spreadsheet takes a cell that begins so for a formula, and an apostrophe before it for a mark
# that the cell is text (OWASP, CSV injection). The full-width ones count in some.
_FORMULA: Final = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; `unguarded` takes it back."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return what `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
