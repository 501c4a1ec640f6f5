"""Work of statements in rows that the server's executor handles, whatever the machine's load.

`auto_explain` reports each executed plan to the client, those of statements inside functions and
triggers too. A nested loop in memory counts there, and in the tables' own counters it does not.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.errors import Diagnostic

SETTINGS = {
    "log_analyze": "on",
    "log_format": "json",
    "log_level": "notice",
    "log_min_duration": "0",
    "log_nested_statements": "on",
    "log_timing": "off",
}
_NAME = re.compile(r"/\* taskdb:([\w.]+) \*/")


@contextmanager
def rows_handled(conn: psycopg.Connection[Any]) -> Generator[Counter[str]]:
    """Count the rows that the block's statements handle, by named query; "" is for all others.

    A plan node counts the rows that it returns and those that it discards, and one for each time
    that it is started.
    """
    handled: Counter[str] = Counter()

    def take(diagnostic: Diagnostic) -> None:
        _, found, plan = (diagnostic.message_primary or "").partition("plan:\n")
        if found:
            said = json.loads(plan)
            name = _NAME.search(said["Query Text"])
            handled[name[1] if name else ""] += _rows(said["Plan"])

    conn.execute(b"load 'auto_explain'")
    conn.execute(b"set client_min_messages = notice")
    conn.add_notice_handler(take)
    for name, value in SETTINGS.items():
        conn.execute(b"select set_config($1, $2, false)", (f"auto_explain.{name}", value))
    try:
        yield handled
    finally:
        conn.execute(b"set auto_explain.log_min_duration = -1")
        conn.remove_notice_handler(take)


def _rows(node: Mapping[str, Any]) -> int:
    discarded = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
    own = round(node["Actual Loops"] * (1 + node["Actual Rows"] + discarded))
    return int(own) + sum(_rows(part) for part in node.get("Plans", ()))
