"""The bench on a server of its own: `make bench`, or `python -m bench [SECTION ...]`.

It starts a server set up as the embedded one, in a folder beside the user's, and removes it in the
end. With `--own` only psycopg, taskdb and pgbench are measured, which need no library that
`make setup` does not install. `--also PYTHON=NAME` measures the taskdb of another checkout's
interpreter too, in turns with this one. `--short` asserts the floors of `bench.bars`.
`compare OLD NEW` compares two files that `--json` wrote.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from bench import (
    WORKSPACE,
    Table,
    bars,
    claiming,
    contest,
    features,
    machine,
    reading,
    results,
    snapshot,
)
from bench.claiming import Subject
from bench.crews import command
from bench.options import Asked, asked_by, parser
from bench.pgbench import Pgbench
from taskdb import migrations
from taskdb.embedded import Server

FOLDER: Final = Path(".taskdb-bench")
OTHERS: Final = [
    "aiosql",
    "SQLAlchemy",
    "asyncpg",
    "procrastinate",
    "pgqueuer",
    "awa-pg",
    "uvloop",
]
# No checkpoint in a run, so that its WAL is there to be read when it is over; and files of WAL are
# used again, since to make a new one takes the time of many commits.
SETTINGS: Final = {"checkpoint_timeout": "1h", "max_wal_size": "8GB", "min_wal_size": "1GB"}


@contextmanager
def server() -> Iterator[str]:
    """Run a server as durable as the embedded one; its folder is new, and gone at the end."""
    served = Server(FOLDER, settings=SETTINGS)
    _remove(served)  # The remains of a killed bench.
    try:
        yield served.start()
    finally:
        _remove(served)


def _remove(served: Server) -> None:
    if served.directory.exists():
        served.stop()
        shutil.rmtree(served.directory)


def report(url: str, asked: Asked) -> Iterator[Table]:
    """Measure what is asked for on the empty server of *url*, table by table."""
    yield machine.table(url, [] if asked.own else OTHERS)
    if "reading" in asked.sections:
        yield from _reading(url, asked)
    subjects = [
        claiming.subject(url, name, python)
        for python, name in [(sys.executable, "taskdb"), *asked.also]
        if set(asked.sections) - {"reading"}
    ]
    if "claiming" in asked.sections:
        yield from _claiming(url, subjects, asked)
    if "features" in asked.sections:
        loops = [one for subject in subjects for one in features.contestants(subject)]
        found = contest.contest(
            loops,
            workers=1,
            seconds=asked.seconds,
            rounds=asked.rounds,
            tries=asked.tries,
            said=_say,
        )
        asked.results.add("features", subjects, found)
        yield features.table(subjects, found)
    if "snapshot" in asked.sections:
        yield _snapshot(subjects, asked)
    if "scale" in asked.sections:
        yield from _scale(subjects, asked)
    if "bulk" in asked.sections:
        yield from _bulk(subjects, asked)
    for subject in subjects:
        ours = asked.results.found.get(subject.name, {})
        table = bars.table(subject.name, ours, asked.results.found.get(results.OTHERS, {}))
        if table.rows:
            yield table


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _reading(url: str, asked: Asked) -> Iterator[Table]:
    migrations.up(url, workspace=WORKSPACE)
    reading.prepare(url)
    with ExitStack() as stack:
        ways = stack.enter_context(reading.ways(url))
        if not asked.own:
            from bench import reading_others

            ways += stack.enter_context(reading_others.ways(url))
        yield from reading.tables(ways, Pgbench(url, Server().binaries), asked.seconds)


def _claiming(url: str, subjects: Sequence[Subject], asked: Asked) -> Iterator[Table]:
    plain = claiming.database(url, "plain")
    compared = claiming.baselines(plain, Pgbench(plain, Server().binaries))
    if asked.only_bars:
        compared = [one for one in compared if one.name in (claiming.CEILING, claiming.PLAIN)]
    compared += [
        one for subject in subjects for one in claiming.contestants_of(subject, asked.ways)
    ]
    if not asked.own:
        compared += claiming.others(claiming.database(url, "others"))
    for workers in asked.workers:
        found = contest.contest(
            compared,
            workers=workers,
            seconds=asked.seconds,
            rounds=asked.rounds,
            tries=asked.tries,
            said=_say,
        )
        asked.results.add("claiming", subjects, found)
        title = f"Claiming, {workers} worker{'s' if workers > 1 else ''}"
        yield contest.table(title, found, claiming.CEILING)


def _snapshot(subjects: Sequence[Subject], asked: Asked) -> Table:
    every: list[snapshot.Held] = []
    for subject in subjects:
        for way in ("one", "ahead", "chain"):
            if way in subject.ways:
                held = snapshot.measure(
                    subject, way, seconds=asked.snapshot_seconds, clean=asked.clean_seconds
                )
                asked.results.add_snapshot(subject, held)
                every.append(held)
    return snapshot.table(every)


def _scale(subjects: Sequence[Subject], asked: Asked) -> Iterator[Table]:
    for subject in subjects:
        found = {str(size): _run("scale", subject, str(size)) for size in asked.sizes}
        asked.results.put(subject, "scale", found)
        small, *_, large = found.values()
        yield Table(
            f"What calls cost the server, {subject.name}",
            ("call", *(f"{size:,} tasks" for size in asked.sizes), "ratio"),
            [
                (
                    call,
                    *(f"{figures[call]:.0f} us" for figures in found.values()),
                    f"{large[call] / small[call]:.2f}",
                )
                for call in small
            ],
        )


def _bulk(subjects: Sequence[Subject], asked: Asked) -> Iterator[Table]:
    rows: list[tuple[str, str, str]] = []
    for subject in subjects:
        found = _run("bulk", subject, str(asked.bulk_seconds), str(asked.blockers))
        asked.results.put(subject, "bulk", found)
        for size, load in found["load"].items():
            ours, bare, speed = load.values()
            took = f"{ours:.2f} s, by COPY {bare:.2f} s, speed {speed:.3f}"
            rows.append((subject.name, f"load of {int(size):,} tasks", took))
        for count, ms in found["completing blockers, ms"].items():
            rows.append((subject.name, f"completion of {int(count):,} blockers", f"{ms:.0f} ms"))
    yield Table("Bulk work", ("taskdb", "what", "took"), rows)


def _run(module: str, subject: Subject, *arguments: str) -> dict[str, Any]:
    """Run a module on the taskdb of a subject, in its database."""
    _say(f"{module} {' '.join(arguments)}, {subject.name}")
    line = command(subject.python, f"bench.{module}", subject.url, *arguments)
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"bench.{module} failed: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["compare"]:
        print(results.compare(*given[1:]))
        return 0
    options = parser(__doc__).parse_args(given)
    asked = asked_by(options)
    with server() as url:
        for table in report(url, asked):
            print(f"{table}\n", flush=True)
    if options.json:
        asked.results.save(options.json)
    if not options.short:
        return 0
    found = asked.results.found
    below = bars.below_floor(found["taskdb"], found.get(results.OTHERS, {}))
    print(*below, sep="\n", file=sys.stderr)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
