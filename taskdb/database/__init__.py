"""Connections to a task database: its settings, one connection, a pool of them, its workspaces."""

from taskdb.database.connections import AsyncConnection, Connection, connect, connect_async
from taskdb.database.pool import AsyncDatabase, Database
from taskdb.database.pooling import DatabaseHealth, PoolFigures
from taskdb.database.settings import is_configured

__all__ = [
    "AsyncConnection",
    "AsyncDatabase",
    "Connection",
    "Database",
    "DatabaseHealth",
    "PoolFigures",
    "connect",
    "connect_async",
    "is_configured",
]
