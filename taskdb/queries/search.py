"""Finding tasks by their words: `sql/queries/search.sql`."""

from taskdb.models.search import Match
from taskdb.queries import query
from taskdb.queries.fields import Limit, Text

__all__ = ["find_tasks"]


@query
def find_tasks(*, words: Text, limit: Limit = 50) -> list[Match]:
    """Return the tasks whose title or description has *words*, the best match first.

    Words follow web search: ``"a phrase"``, ``-without``, ``this or that``; and ``begin*``
    finds all that begins so. Of a description the first 200,000 characters are looked at.
    """
    ...
