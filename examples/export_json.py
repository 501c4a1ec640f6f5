"""Export data to JSON: an epic, its features, and their tasks, through `to_dict`."""

import json
import sys
from typing import Any

from psycopg import Connection

from taskdb.database import Database
from taskdb.queries import dependencies, epics, features, tasks


def export(conn: Connection[Any], key: str) -> dict[str, Any]:
    """Return the epic *key* with all that is under it, as `json.dump` takes it."""
    epic = epics.get_by_key(conn, key=key)
    exported = epic.to_dict()
    exported["features"] = []
    for feature in features.list_features(conn, epic_id=epic.id, limit=10_000):
        rows = tasks.list_tasks(conn, feature_id=feature.id, limit=10_000)
        parts = [
            tasks.get(conn, id=row.id).to_dict()
            | {"depends_on": [edge.key for edge in dependencies.dependencies_of(conn, key=row.key)]}
            for row in sorted(rows, key=lambda row: row.key)
        ]
        exported["features"].append(feature.to_dict() | {"tasks": parts})
    return exported


def main() -> None:
    """Write epic E90, which create_plan.py makes, to standard output."""
    with Database() as database, database.connection() as conn:
        json.dump(export(conn, "E90"), sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
