"""Queries of the toolkit on PostgreSQL's catalogue, for any project's database."""

from taskdb.places import EXPECTATIONS, QUERIES
from taskdb.query._queries import Queries

query = Queries(
    QUERIES / "catalogue",
    label="sql/queries/catalogue",
    package=__name__,
    expectations=EXPECTATIONS / "catalogue",
)
