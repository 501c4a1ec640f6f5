"""Origin of the figures: the machine, the server and its settings, the versions."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from bench import Table, connected, query, version_of

SETTINGS: Final = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "shared_buffers",
    "max_connections",
    "autovacuum",
    "jit",
]
LIBRARIES: Final = ["psycopg", "psycopg-pool", "orjson"]


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    value: str


@query
def server_settings(*, names: list[str]) -> list[Setting]: ...


def table(url: str, libraries: list[str]) -> Table:
    """Return what stands beside the figures. The load is that of the minute before."""
    with connected(url) as conn:
        settings = server_settings(conn, names=SETTINGS)
        server = version_of(conn)
    versions = [f"{name} {metadata.version(name)}" for name in [*LIBRARIES, *libraries]]
    facts = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, {platform.python_implementation()} "
        f"{platform.python_version()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "server": f"PostgreSQL {server}, reached by a unix socket",
        "settings": ", ".join(f"{setting.name} {setting.value}" for setting in settings),
        "versions": ", ".join(versions),
    }
    return Table("Machine and settings", ("what", "value"), list(facts.items()))


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
