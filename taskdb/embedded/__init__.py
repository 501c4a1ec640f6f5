"""A PostgreSQL of one's own, from a wheel: `Server(".taskdb").start()` returns its URL."""

from taskdb.embedded.server import DIRECTORY, Server, Status
from taskdb.embedded.temporary import throwaway

__all__ = ["DIRECTORY", "Server", "Status", "throwaway"]
