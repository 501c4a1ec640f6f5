"""Projects, their files and their secrets: `sql/queries/projects.sql`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from taskdb.errors import VersionConflictError
from taskdb.models.projects import Project, ProjectEnvironment, ProjectFile, ProjectSummary
from taskdb.models.types import ProjectStatus
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Document, Limit, Name, Percentage, Texts, Title
from taskdb.query import UNSET, Length, Unset

Path = str
Dependencies = Annotated[list[AnyText], Length(1)]


@query
def create(
    *,
    name: Title,
    type: Name,
    owner_id: Name,
    status: ProjectStatus = ProjectStatus.ACTIVE,
    codebase: Texts,
    dependencies: list[AnyText] = [],  # noqa: B006
    deployment_config: Document | None = None,
    test_coverage: Percentage | None = None,
    security_score: Percentage | None = None,
    performance_score: Percentage | None = None,
) -> ProjectSummary:
    """Make a project; *codebase* is contents by path. Its secrets: `set_environment`."""
    ...


@query
def get(id: UUID) -> Project:
    """Return a project with all its files, or raise `NotFoundError`."""
    ...


@query
def list_projects(
    *,
    owner_id: Name | None = None,
    status: ProjectStatus | None = None,
    type: Name | None = None,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[ProjectSummary]:
    """Return projects without their files, the newest first; a filter that is None is left out.

    The next page begins after the last project of this one: give its moment and id.
    """
    ...


@query
def list_changed(
    *,
    after_updated_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[ProjectSummary]:
    """Return projects without their files, the last changed first, in pages as `list_projects`."""
    ...


@query
def find_by_files(files: Texts, *, limit: Limit = 50) -> list[ProjectSummary]:
    """Return the projects that have all these files with just these contents, by id."""
    ...


@query
def find_by_path(path: Path, *, limit: Limit = 50) -> list[ProjectSummary]:
    """Return the projects that have a file of this path, by id."""
    ...


@query
def find_by_dependencies(dependencies: Dependencies, *, limit: Limit = 50) -> list[ProjectSummary]:
    """Return the projects that depend on all of these, by id."""
    ...


@query(not_found=VersionConflictError)
def update(
    id: UUID,
    *,
    version: int,
    name: Title | Unset = UNSET,
    type: Name | Unset = UNSET,
    status: ProjectStatus | Unset = UNSET,
    owner_id: Name | Unset = UNSET,
    codebase: Texts | Unset = UNSET,
    dependencies: list[AnyText] | Unset = UNSET,
    deployment_config: Document | None | Unset = UNSET,
    test_coverage: Percentage | None | Unset = UNSET,
    security_score: Percentage | None | Unset = UNSET,
    performance_score: Percentage | None | Unset = UNSET,
    last_deployed_at: datetime | None | Unset = UNSET,
) -> ProjectSummary:
    """Change what is given, and nothing else; None empties a field.

    Raises `VersionConflictError` if the project is not of this *version* any more, or gone.
    """
    ...


@query
def delete(id: UUID) -> UUID:
    """Delete a project with its secrets and modifications; its epics stay.

    Raises `NotFoundError` if there is no such project.
    """
    ...


@query
def list_files(id: UUID) -> list[ProjectFile]:
    """Return the files of a project without their contents, in the order of their paths."""
    ...


@query
def get_file(id: UUID, *, path: Path) -> str:
    """Return the content of one file, or raise `NotFoundError`. The rest does not leave the server.

    A path is any text, and matched exactly.
    """
    ...


@query
def put_file(id: UUID, *, path: Path, content: AnyText) -> int:
    """Write one file of a project without sending the rest; return the project's new version.

    Raises `NotFoundError` if there is no such project.
    """
    ...


@query
def delete_file(id: UUID, *, path: Path) -> int:
    """Remove one file of a project; return the project's new version.

    Raises `NotFoundError` if there is no such project or file.
    """
    ...


@query
def environment(project_id: UUID) -> ProjectEnvironment:
    """Return the environment variables of a project: secrets, which its repr does not show.

    Raises `NotFoundError` if there is no such project; a role that only reads may not.
    """
    ...


@query
def set_environment(project_id: UUID, *, variables: Texts) -> UUID:
    """Set all environment variables of a project. No error shows a value, or a name.

    Raises `NotFoundError` if there is no such project.
    """
    ...


@query
def find_by_variable(name: Name, *, limit: Limit = 50) -> list[UUID]:
    """Return the ids of the projects that have an environment variable of this name."""
    ...
