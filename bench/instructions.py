"""Instructions of the server per job, and what each guarantee takes of them.

`python -m bench.instructions` runs the loops of bench/sql/instructions.sql in a server's
single-user mode under valgrind (Debian's package) and counts: the same on a busy machine as on an
idle one, to one in a hundred. A guarantee's cost is what a server without it does not spend.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import WORKSPACE, Table, connected, plain, query
from taskdb import migrations
from taskdb.embedded import Server
from taskdb.embedded.account import choose
from taskdb.embedded.temporary import THROWAWAY_SETTINGS
from taskdb.query import Query

SQL: Final = Path(__file__).parents[1] / "sql"


@query(file="instructions")
def fill_queue() -> None: ...


@query(file="instructions")
def vacuum_queue() -> None: ...


@query(file="instructions")
def search_path() -> str: ...


@query(file="instructions")
def one_by_one() -> None: ...


@query(file="instructions")
def chained() -> None: ...


@query(file="instructions")
def batches() -> None: ...


@query(file="instructions")
def without_foreign_key() -> None: ...


@query(file="instructions")
def without_time_index() -> None: ...


@query(file="instructions")
def without_history_guard() -> None: ...


@query(file="instructions")
def without_dependents() -> None: ...


@query(file="instructions")
def without_status_index() -> None: ...


LOOPS: Final[Mapping[str, Query[..., None]]] = {
    "one by one": one_by_one,
    "chained": chained,
    "batches of 100": batches,
}
# A loop is run so often, and less often: the difference is without the start.
JOBS: Final = (100, 300)


@dataclass(frozen=True)
class Hole:
    """A function of sql/ without a part of it: *pattern*, replaced by *instead*."""

    file: str
    pattern: str
    instead: str = ""

    def statement(self) -> bytes:
        source = (SQL / self.file).read_text(encoding="utf-8")
        found = re.search(r"create function .*?^\$\$;", source, re.DOTALL | re.MULTILINE)
        assert found, self.file
        text, count = re.subn(self.pattern, self.instead, found[0], flags=re.DOTALL)
        assert count == 1, f"{self.file}: {count} times {self.pattern}"
        return text.replace("create function", "create or replace function", 1).encode()


_CHANGE: Final = "triggers/tasks_50_apply_change.sql"
_RECORDED: Final = r"    insert into task_history .*?\n    \);\n"
_ALLOWED: Final = r"    if is_rare or pg_sequence_last_value.*?\n    end if;\n"
GUARANTEES: Final[Mapping[str, Query[..., None] | Hole]] = {
    "history names a task that exists (foreign key)": without_foreign_key,
    "history by time and agent (index)": without_time_index,
    "no history by hand (trigger)": without_history_guard,
    "history, with the three above": Hole(_CHANGE, _RECORDED),
    "transitions are those allowed": Hole(_CHANGE, _ALLOWED),
    "dependents and blockers follow (trigger)": without_dependents,
    "tasks by status (index)": without_status_index,
    "leases, schedules, slots and reservations are looked at": Hole(
        "functions/claim_tasks.sql",
        r"    select\s+exists \(select from tasks as task where task\.lease_expires_at.*?"
        r"into is_overdue, has_slots, has_lanes;",
        "is_overdue := false; has_slots := false; has_lanes := false;",
    ),
}


@contextmanager
def prepared(change: Callable[[Any], object]) -> Iterator[tuple[Server, str]]:
    """Make a stopped server with a queue, after *change*; yield it with its search path."""
    base = Path(tempfile.mkdtemp(prefix="taskdb-instructions-"))
    base.chmod(0o711)
    server = Server(base / "server", database="postgres", settings=THROWAWAY_SETTINGS)
    try:
        url = server.start()
        migrations.up(url, workspace=WORKSPACE)
        with connected(url) as conn:
            change(conn)
            fill_queue(conn)
            vacuum_queue(conn)
            path = search_path(conn)
        server.stop()
        yield server, path
    finally:
        server.stop()
        shutil.rmtree(base)


def count(server: Server, path: str, loop: Query[..., None]) -> float:
    """Count the instructions per job of *loop*."""
    few, many = JOBS
    return (_run(server, path, loop, many) - _run(server, path, loop, few)) / (many - few)


def _run(server: Server, path: str, loop: Query[..., None], jobs: int) -> int:
    data = server.directory / "data"
    account = choose(data)
    copied = server.directory.parent / "copied"
    shutil.copytree(data, copied)
    for name in (copied, *copied.rglob("*")):
        os.chown(name, account.uid, account.gid)
    try:
        commands = f"set search_path = {path};\n\nset bench.jobs = {jobs};\n\n{plain(loop)}\n\n"
        status, output = account.at(copied).run(
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=counted", "-q"),
            *(server.binaries / "postgres", "--single", "-j", "-D", account.path(copied)),
            *("-c", "fsync=off", "-c", "jit=off", "-c", "plan_cache_mode=force_generic_plan"),
            "postgres",
            text=commands,
        )
        if status or "ERROR" in output or "FATAL" in output:
            raise RuntimeError(output)
        found = re.search(r"^(?:summary|totals): (\d+)", (copied / "counted").read_text(), re.M)
        assert found
        return int(found[1])
    finally:
        shutil.rmtree(copied)


def main() -> None:
    """Print the table: all of a job, and less each guarantee."""
    rows: list[tuple[str, ...]] = []
    whole: dict[str, float] = {}
    for name, part in {"all of a job": None, **GUARANTEES}.items():
        with prepared(_without(part)) as (server, path):
            found = {loop: count(server, path, run) for loop, run in LOOPS.items()}
        whole = whole or found
        shown = found if part is None else {loop: whole[loop] - found[loop] for loop in found}
        rows.append((name, *(f"{value / 1000:.0f}" for value in shown.values())))
        print(*rows[-1], sep="\t", flush=True)
    print(f"\n{Table('Thousands of instructions per job', ('what', *LOOPS), rows)}")


def _without(part: Query[..., None] | Hole | None) -> Callable[[Any], object]:
    match part:
        case None:
            return lambda conn: None
        case Hole():
            return lambda conn: conn.execute(part.statement())
        case _:
            return part


if __name__ == "__main__":
    main()
