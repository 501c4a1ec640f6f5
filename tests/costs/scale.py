"""Shared by the tests of large plans."""

from __future__ import annotations

from typing import Any

import psycopg

SEED = 20261122

Connection = psycopg.Connection[Any]
