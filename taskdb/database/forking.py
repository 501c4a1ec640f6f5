"""Connections of a forked process: its parent's stay its parent's.

Both would write to the same sockets, and each would read what the other had asked for; a child that
closed one, or left its block, would end the session or the transaction of its parent.
"""

from __future__ import annotations

import os
import socket
from typing import Final
from weakref import WeakSet

from taskdb.database.connecting import AnyConnection

__all__ = ["leave_when_forked"]

_connections: Final[WeakSet[AnyConnection]] = WeakSet()


def leave_when_forked(conn: AnyConnection) -> None:
    """Have a child of this process find *conn* closed by its server, whatever it does with it."""
    _connections.add(conn)


def _leave() -> None:
    """Put a socket that nobody reads in the place of each connection's."""
    ours, theirs = socket.socketpair()
    theirs.close()
    for conn in _connections:
        if not conn.closed:
            os.dup2(ours.fileno(), conn.fileno(), inheritable=False)
    ours.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)
