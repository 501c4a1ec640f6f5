"""The demo: a plan, four agents, one of them killed, and the database's word on how it went.

It works on the embedded server in a folder, in a workspace of its own, which is made anew each
time. It never reads DATABASE_URL. `agent` is a worker to copy; `play` starts four of them.
"""

from pathlib import Path
from typing import Final

__all__ = ["ROADMAP", "WORKSPACE"]

ROADMAP: Final = Path(__file__).resolve().parent.parent / "roadmap"
"""The plan that ships with taskdb: its own roadmap, as a shark tracker's files."""

WORKSPACE: Final = "demo"
