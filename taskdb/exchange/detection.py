"""Detection of a plan's format from the files at its path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from taskdb.errors import ValidationError
from taskdb.exchange import backlogmd, beads, github, shark, sharkplan, taskmaster
from taskdb.exchange.csvfiles import header_of
from taskdb.exchange.options import PlanPath
from taskdb.exchange.rows import is_text
from taskdb.exchange.tables import is_sqlite
from taskdb.exchange.trackerlayouts import CSV
from taskdb.exchange.trackertables import JSON_LINES, kind_of_header
from taskdb.query import checked

__all__ = ["KNOWN", "detect", "kind_at"]

FOLDERS: Final[dict[str, Callable[[Path], bool]]] = {
    shark.KIND: shark.is_folder,
    beads.KIND: beads.is_folder,
    taskmaster.KIND: taskmaster.is_folder,
    backlogmd.KIND: backlogmd.is_folder,
    sharkplan.KIND: sharkplan.is_plan,
}
KNOWN: Final = (
    "Name a shark folder or database, a shark-plan folder of epics, a taskmaster tasks.json or "
    ".taskmaster folder, a beads issues.jsonl or .beads folder, a Backlog.md folder, the JSON of "
    "gh issue list, or a CSV export of Linear or Jira; any other table is of the kind "
    f"{CSV} or {JSON_LINES}"
)
# Number of bytes that show a file's format.
PEEK: Final = 64 * 1024


@checked
def detect(path: PlanPath) -> str:
    """Return the kind of the plan at *path*.

    Raises ValidationError, naming the kinds there are, if it is none of them.
    """
    place = Path(path)
    try:
        return _kind_of(place)
    except OSError as error:
        raise _unknown(place, f"cannot be read: {error.strerror}") from error


def _kind_of(place: Path) -> str:
    if not is_text(str(place)) or not place.exists():
        raise _unknown(place, "does not exist")
    if not place.is_dir():
        return _kind_of_file(place)
    if (place / f"{shark.TASKS}.jsonl").is_file():
        return shark.KIND
    kinds = [kind for kind, is_folder in FOLDERS.items() if is_folder(place)]
    if len(kinds) > 1:
        raise _unknown(place, f"holds plans of several kinds: {', '.join(kinds)}; name one")
    if not kinds:
        raise _unknown(
            place,
            "is a folder without tasks.jsonl, issues.jsonl, tasks.json or config.yml, "
            "and without folders of epics such as E04-login",
        )
    return kinds[0]


def kind_at(path: Path) -> str | None:
    """Return the kind of the plan at *path*, or None if it is none of them."""
    try:
        return detect(path)
    except ValidationError:
        return None


def _kind_of_file(path: Path) -> str:
    if not path.is_file():
        raise _unknown(path, "is neither a file nor a folder")
    if is_sqlite(path):
        return shark.KIND
    if path.suffix == ".csv":
        return kind_of_header(header_of(path)) or CSV
    with path.open("rb") as file:
        start = file.read(PEEK).removeprefix(b"\xef\xbb\xbf").lstrip()
    if path.suffix == ".jsonl":
        return shark.KIND if b'"feature_id"' in start.partition(b"\n")[0] else beads.KIND
    if path.suffix == ".json":
        return github.KIND if start.startswith(b"[") else taskmaster.KIND
    raise _unknown(path, "is no SQLite file, and ends in neither .jsonl, .json nor .csv")


def _unknown(path: Path, rule: str) -> ValidationError:
    return ValidationError("path", rule, where=str(path), hint=KNOWN)
