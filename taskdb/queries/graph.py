"""Parts of a plan's diagram: `sql/queries/graph.sql`. `taskdb.admin.diagrams` draws it."""

from uuid import UUID

from taskdb.models.graph import DrawnEdge, DrawnFeature, DrawnFeatureEdge, DrawnTask
from taskdb.queries import query
from taskdb.queries.fields import Key, Limit

__all__ = ["edges", "feature_edges", "feature_nodes", "features_of", "nodes", "size"]


@query
def size(*, epic: Key | None = None, task_ids: list[UUID] | None = None) -> int:
    """Return the number of tasks of an epic, among these, or in the whole plan."""
    ...


@query
def nodes(
    *, epic: Key | None = None, task_ids: list[UUID] | None = None, limit: Limit = 1000
) -> list[DrawnTask]:
    """Return the tasks of an epic, these, or all, each after its blockers."""
    ...


@query
def edges(
    *, epic: Key | None = None, task_ids: list[UUID] | None = None, limit: Limit = 5000
) -> list[DrawnEdge]:
    """Return the edges out of tasks of an epic, these, or all, also to blockers of other epics."""
    ...


@query
def feature_nodes(*, epic: Key | None = None, limit: Limit = 1000) -> list[DrawnFeature]:
    """Return the features of an epic, or all, in the order of their keys."""
    ...


@query
def feature_edges(*, epic: Key | None = None, limit: Limit = 5000) -> list[DrawnFeatureEdge]:
    """Return the edges between features; `requires` and `blocks` only."""
    ...


@query
def features_of(task_ids: list[UUID]) -> list[str]:
    """Return the feature keys of these tasks, in their order; tasks without one are left out."""
    ...
