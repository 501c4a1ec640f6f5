"""Connections to a task database: its settings, one connection, a pool of them, its workspaces."""

from taskdb.database.connecting import AsyncConnection, Connection
from taskdb.database.connections import connect
from taskdb.database.connections_async import connect_async
from taskdb.database.pool import Database
from taskdb.database.pool_async import AsyncDatabase
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
