"""Research of tech-spec sessions: `sql/queries/research.sql`."""

from datetime import datetime
from uuid import UUID

from taskdb.models.research import TechResearch
from taskdb.queries import query
from taskdb.queries.fields import Documents, Limit, Name, Text


@query
def add(
    *,
    session_id: UUID,
    technology_category: Name,
    gap_description: Text | None = None,
    researched_options: Documents | None = None,
) -> TechResearch:
    """Begin a research. Each option is an object with a name, and whatever else is known of it.

    Raises `IntegrityError` if there is no such session, `ValidationError` for an option without
    a name.
    """
    ...


@query
def get(id: UUID) -> TechResearch:
    """Return a research, or raise `NotFoundError`."""
    ...


@query
def set_options(id: UUID, *, researched_options: Documents) -> TechResearch:
    """Keep the options found, replacing those before.

    Raises `ValidationError` for an option without a name, or if what is chosen is none of them;
    `NotFoundError` if there is no such research.
    """
    ...


@query
def choose(id: UUID, *, technology: Name, reasoning: Text | None = None) -> TechResearch:
    """Choose one of the options by its name, with the reason; a second call replaces the first.

    Raises `ValidationError` if there is no such option, `NotFoundError` if no such research.
    """
    ...


@query
def list_for_session(
    session_id: UUID, *, technology_category: Name | None = None
) -> list[TechResearch]:
    """Return the research of a session, of one category or of all, in the order it was begun."""
    ...


@query
def list_by_category(
    technology_category: Name,
    *,
    after_created_at: datetime | None = None,
    after_id: UUID | None = None,
    limit: Limit = 50,
) -> list[TechResearch]:
    """Return the research of all sessions in a category, newest first.

    The next page begins after the last row of this one: give its `created_at` and `id`.
    """
    ...
