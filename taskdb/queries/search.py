"""Finding tasks by their words: `sql/queries/search.sql`."""

from typing import Annotated

from taskdb.models.search import Match
from taskdb.queries import query
from taskdb.queries.fields import Limit
from taskdb.query import Length

__all__ = ["find_tasks"]

# The server takes minutes to parse megabytes of them.
Words = Annotated[str, Length(1, 1000)]


@query
def find_tasks(*, words: Words, limit: Limit = 50) -> list[Match]:
    """Return the tasks whose title or description has *words*, the best match first.

    Words follow web search: ``"a phrase"``, ``-without``, ``this or that``; and ``begin*``
    finds all that begins so. Of a description the first 200,000 characters are looked at.

    Where more than 1,000 tasks match, or more than *limit* if that is higher, the best of about
    a bounded number of the newest is returned: `sql/functions/search_candidates.sql` says which.
    """
    ...
