"""Look at how a connection turns values into text and back: has a test changed it?"""

from __future__ import annotations

import datetime
import ipaddress
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.adapt import PyFormat
from psycopg.pq import Format
from psycopg.types.json import Json, Jsonb

from taskdb.database import Connection

__all__ = ["adaptation_of"]

_CLASSES: Final[tuple[type[Any], ...]] = (
    *(bool, int, float, str, bytes, dict, list, tuple, Decimal, UUID, Json, Jsonb),
    *(datetime.date, datetime.time, datetime.datetime, datetime.timedelta),
    *(ipaddress.IPv4Address, ipaddress.IPv6Address),
)


def adaptation_of(conn: Connection) -> list[object]:
    """Return the loaders of all types that *conn* knows, and the dumpers of the usual classes."""
    adapters = conn.adapters
    known = [oid for each in adapters.types for oid in (each.oid, each.array_oid) if oid]
    return [
        *known,
        *(adapters.get_loader(oid, form) for oid in known for form in Format),
        *(_dumper(conn, each, form) for each in _CLASSES for form in PyFormat),
    ]


def _dumper(conn: Connection, each: type[Any], form: PyFormat) -> object:
    try:
        return conn.adapters.get_dumper(each, form)
    except psycopg.ProgrammingError:
        return None
