"""Create an epic with features and tasks, all or nothing.

Where the database is comes from DATABASE_URL or DB_HOST, DB_NAME, ...; the other examples read
what this one makes.
"""

from taskdb.database import Database
from taskdb.models import NewDependency, NewTask
from taskdb.queries import epics, features, tasks


def main() -> None:
    """Make epic E90; a second time, IntegrityError says that the key is taken."""
    with Database() as database, database.transaction() as conn:
        epic = epics.create(conn, key="E90", title="Sign in with a password")
        storage = features.create(conn, epic_id=epic.id, key="E90-F01", title="Store accounts")
        page = features.create(conn, epic_id=epic.id, key="E90-F02", title="Show the page")
        made = tasks.create_many(
            conn,
            [
                NewTask(key="accounts", title="Table of accounts", feature_id=storage.id),
                NewTask(key="hashes", title="Hash passwords", feature_id=storage.id, priority=1),
                NewTask(key="form", title="Form", feature_id=page.id, agent_type="frontend"),
                NewTask(key="session", title="Begin a session", feature_id=page.id),
            ],
            [
                NewDependency("hashes", "accounts"),
                NewDependency("session", "hashes"),
                NewDependency("session", "form"),
            ],
        )
    print(f"{epic.key}: {made.task_count} tasks, {made.dependency_count} dependencies")


if __name__ == "__main__":
    main()
