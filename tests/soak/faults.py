"""Faults for a soak: sessions that are terminated, and a backend killed, which ends them all."""

from __future__ import annotations

import os
import random
import signal
from typing import Any

import psycopg


class Faults:
    """Called again and again: now and then hits a session in the middle of whatever it does."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def __call__(self, conn: psycopg.Connection[Any]) -> None:
        kind = self._chance.choices(["none", "terminate", "kill"], [60, 20, 1])[0]
        if kind == "none":
            return
        victims = conn.execute(
            b"select pid from pg_stat_activity where datname = current_database()"
            b" and backend_type = 'client backend' and pid <> pg_backend_pid()"
        ).fetchall()
        if not victims:
            return
        (pid,) = self._chance.choice(victims)
        if kind == "terminate":
            conn.execute(b"select pg_terminate_backend($1)", (pid,))
        else:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:  # It has just ended by itself.
                return
