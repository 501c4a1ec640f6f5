"""Files of tasks: `sql/queries/files.sql`."""

from typing import Annotated
from uuid import UUID

from taskdb.models.files import TaskFile, TaskFileInfo
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Document, Key, Name
from taskdb.query import Length

Path = Annotated[str, Length(1, 1000)]


@query
def put(
    *,
    task: Key,
    path: Path,
    content: AnyText,
    content_type: Name = "text/plain",
    metadata: Document | None = None,
) -> TaskFileInfo:
    """Write a file of a task, replacing one of the same path. The server computes size and sum.

    Raises `NotFoundError` if there is no such task.
    """
    ...


@query
def get(*, task: Key, path: Path) -> TaskFile:
    """Return a file of a task with its content, or raise `NotFoundError`."""
    ...


@query
def list_files(*, task: Key) -> list[TaskFileInfo]:
    """Return the files of a task without their contents, in the order of paths."""
    ...


@query
def delete(*, task: Key, path: Path) -> UUID:
    """Remove a file of a task, and return its id; raise `NotFoundError` if there is none."""
    ...
