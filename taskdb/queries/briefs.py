"""Briefs: `sql/queries/briefs.sql`."""

from taskdb.models.briefs import Brief
from taskdb.queries import query
from taskdb.queries.fields import Key


@query
def get(key: Key) -> Brief:
    """Return the context of a task for its next worker, or raise `NotFoundError`.

    `taskdb.verbs.brief` writes it as a text of a bounded length.
    """
    ...
