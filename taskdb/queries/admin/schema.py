"""Parts of a schema, for `taskdb check`: each query gives aspects of objects."""

from __future__ import annotations

from taskdb.models.admin.schema import Aspect
from taskdb.queries.admin import query


@query
def schema_aspects(*, schema: str) -> list[Aspect]:
    """Return the schema's owner and privileges."""
    ...


@query
def extension_aspects(*, schema: str) -> list[Aspect]:
    """Return the extensions installed in the schema."""
    ...


@query
def type_aspects(*, schema: str) -> list[Aspect]:
    """Return enumerated, domain, range and composite types."""
    ...


@query
def relation_aspects(*, schema: str) -> list[Aspect]:
    """Return tables, views and sequences."""
    ...


@query
def column_aspects(*, schema: str) -> list[Aspect]:
    """Return the columns of tables and views."""
    ...


@query
def constraint_aspects(*, schema: str) -> list[Aspect]:
    """Return the constraints of tables and domains."""
    ...


@query
def index_aspects(*, schema: str) -> list[Aspect]:
    """Return indexes, those of constraints too."""
    ...


@query
def trigger_aspects(*, schema: str) -> list[Aspect]:
    """Return triggers."""
    ...


@query
def function_aspects(*, schema: str) -> list[Aspect]:
    """Return functions, procedures and aggregates."""
    ...


@query
def rule_aspects(*, schema: str) -> list[Aspect]:
    """Return rules, policies and extended statistics."""
    ...


@query
def operator_aspects(*, schema: str) -> list[Aspect]:
    """Return operators with their families and classes, collations and parts of text search."""
    ...


@query
def database_aspects() -> list[Aspect]:
    """Return what belongs to no schema: casts, event triggers, publications, servers."""
    ...


@query
def own_schemas() -> list[str]:
    """Return the database's schemas, those of the server left out."""
    ...
