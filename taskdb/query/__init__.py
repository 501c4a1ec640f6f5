"""The toolkit: statements in `.sql` files, called as typed Python functions. See `Queries`."""

from taskdb.query._annotations import Rule
from taskdb.query._execution import Query
from taskdb.query._queries import Queries
from taskdb.query._statements import Variant
from taskdb.query.rules import UNSET, Json, Length, Matches, Range, Unset

__all__ = [
    "UNSET",
    "Json",
    "Length",
    "Matches",
    "Queries",
    "Query",
    "Range",
    "Rule",
    "Unset",
    "Variant",
]
