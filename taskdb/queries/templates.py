"""Templates of projects: `sql/queries/templates.sql`."""

from typing import Annotated
from uuid import UUID

from taskdb.models.projects import ProjectSummary
from taskdb.models.templates import Template, TemplateSummary
from taskdb.models.types import Complexity, TemplateCategory
from taskdb.queries import query
from taskdb.queries.fields import AnyText, Limit, Minutes, Name, Text, Texts, Title
from taskdb.query import UNSET, Length, Unset

Wanted = Annotated[list[AnyText], Length(1)]


@query
def create(
    *,
    name: Title,
    category: TemplateCategory,
    files: Texts,
    description: AnyText | None = None,
    required_vars: list[AnyText] = [],  # noqa: B006
    optional_vars: list[AnyText] = [],  # noqa: B006
    tech_stack: list[AnyText] = [],  # noqa: B006
    estimated_setup_time: Minutes | None = None,
    complexity: Complexity = Complexity.MEDIUM,
    tags: list[AnyText] = [],  # noqa: B006
) -> Template:
    """Make a template. `{{NAME}}` in a file's content stands for the variable NAME."""
    ...


@query
def get(id: UUID) -> Template:
    """Return a template with its files, or raise `NotFoundError`."""
    ...


@query
def search(
    *,
    category: TemplateCategory | None = None,
    complexity: Complexity | None = None,
    tech_stack: Wanted | None = None,
    tags: Wanted | None = None,
    limit: Limit = 50,
) -> list[TemplateSummary]:
    """Return templates, the newest first, that match all the given filters."""
    ...


@query
def find_by_path(path: Text, *, limit: Limit = 50) -> list[TemplateSummary]:
    """Return the templates that have a file of this path, by id."""
    ...


@query
def update(
    id: UUID,
    *,
    name: Title | Unset = UNSET,
    description: AnyText | None | Unset = UNSET,
    category: TemplateCategory | Unset = UNSET,
    files: Texts | Unset = UNSET,
    required_vars: list[AnyText] | Unset = UNSET,
    optional_vars: list[AnyText] | Unset = UNSET,
    tech_stack: list[AnyText] | Unset = UNSET,
    estimated_setup_time: Minutes | None | Unset = UNSET,
    complexity: Complexity | Unset = UNSET,
    tags: list[AnyText] | Unset = UNSET,
) -> Template:
    """Change what is given, and nothing else; raise `NotFoundError` if there is none."""
    ...


@query
def delete(id: UUID) -> UUID:
    """Delete a template, and return its id; raise `NotFoundError` if there is none."""
    ...


@query
def instantiate(
    template_id: UUID,
    *,
    name: Title,
    owner_id: Name,
    variables: Texts,
    type: Name | None = None,
) -> ProjectSummary:
    """Make a project with a template's files, its variables put in, literally and once.

    An optional variable that is not given is empty text; *type* is the category if it is None.
    Raises `ValidationError` naming variables that are missing or unknown, `NotFoundError`.
    """
    ...
