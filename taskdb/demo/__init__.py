"""The demo: a plan, four agents, one of them killed, and the database's word on how it went.

It works on the embedded server in a folder, in a workspace of its own, which is created again each
time. It never reads DATABASE_URL. `agent` is a worker to copy; `play` starts four of them.
"""

from typing import Final

from taskdb.places import ROADMAP

__all__ = ["ROADMAP", "WORKSPACE"]

WORKSPACE: Final = "demo"
