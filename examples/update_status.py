"""Update a task's status atomically: status, moments, history and what waits for it."""

from taskdb.database import Database
from taskdb.errors import InvalidTransitionError
from taskdb.models import TaskStatus
from taskdb.queries import history, tasks


def main() -> None:
    """Finish `accounts` of epic E90, which create_plan.py makes, and see `hashes` open."""
    with Database() as database:
        with database.transaction() as conn:
            tasks.update_status(conn, key="accounts", status=TaskStatus.IN_PROGRESS, agent="ann")
            tasks.update_status(
                conn,
                key="accounts",
                status=TaskStatus.COMPLETED,
                agent="ann",
                note="with an index on the name",
            )

        try:
            with database.transaction() as conn:
                tasks.update(conn, key="accounts", title="Never seen")
                tasks.update_status(conn, key="accounts", status=TaskStatus.IN_PROGRESS)
        except InvalidTransitionError as refused:
            print("refused:", refused.message)

        with database.connection() as conn:
            print("title:", tasks.get_by_key(conn, key="accounts").title)
            for entry in history.list_for_task(conn, key="accounts"):
                print(f"{entry.seq}. {entry.new_status}: {entry.note or 'no note'}")
            print("hashes:", tasks.get_by_key(conn, key="hashes").status)


if __name__ == "__main__":
    main()
