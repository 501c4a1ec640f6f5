"""The toolkit: statements in `.sql` files, called as typed Python functions. See `Queries`.

It knows nothing of tasks: any project points it at its own folder of SQL, and hands it the words
for what its own database refuses.
"""

from typing import TYPE_CHECKING

from taskdb.query._annotations import Rule
from taskdb.query._checked import check_fields, checked
from taskdb.query._decisions import BatchRow
from taskdb.query._parameters import checker
from taskdb.query._queries import Queries
from taskdb.query._query import Query
from taskdb.query._statements import Variant
from taskdb.query.rules import (
    UNSET,
    Json,
    Length,
    Matches,
    Naive,
    Places,
    Printed,
    Range,
    Size,
    Unset,
)
from taskdb.query.translation import ConstraintRule, Refusal

if TYPE_CHECKING:
    from taskdb.query.verification import verify

__all__ = [
    "UNSET",
    "BatchRow",
    "ConstraintRule",
    "Json",
    "Length",
    "Matches",
    "Naive",
    "Places",
    "Printed",
    "Queries",
    "Query",
    "Range",
    "Refusal",
    "Rule",
    "Size",
    "Unset",
    "Variant",
    "check_fields",
    "checked",
    "checker",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import what is for a service's start only when it is asked for."""
    if name == "verify":
        from taskdb.query.verification import verify

        return verify
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
