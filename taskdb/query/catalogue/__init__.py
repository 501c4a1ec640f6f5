"""What the toolkit asks of PostgreSQL's catalogue, of any project's database."""

from taskdb.places import QUERIES
from taskdb.query._queries import Queries

query = Queries(QUERIES / "catalogue", label="sql/queries/catalogue", package=__name__)
