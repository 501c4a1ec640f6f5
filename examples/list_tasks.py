"""Query tasks with filters, and page through all of them."""

from taskdb.database import Database
from taskdb.models import TaskStatus
from taskdb.queries import epics, tasks


def main() -> None:
    """Print three lists of epic E90, which create_plan.py makes."""
    with Database() as database, database.connection() as conn:
        epic = epics.get_by_key(conn, key="E90")

        pending = tasks.list_tasks(conn, epic_id=epic.id, status=TaskStatus.PENDING)
        print("pending:", *sorted(task.key for task in pending))

        frontend = tasks.list_tasks(
            conn, epic_id=epic.id, status=TaskStatus.PENDING, agent_type="frontend"
        )
        print("pending, for frontend:", *(task.key for task in frontend))

        count = 0
        page = tasks.list_tasks(conn, epic_id=epic.id, limit=3)
        while page:
            count += len(page)
            last = page[-1]
            page = tasks.list_tasks(
                conn,
                epic_id=epic.id,
                after_created_at=last.created_at,
                after_id=last.id,
                limit=3,
            )
        print("all, three at a time:", count)


if __name__ == "__main__":
    main()
