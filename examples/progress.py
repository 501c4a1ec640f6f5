"""Calculate progress: of features, of the epic, and the cached figure beside them."""

from taskdb.database import Database
from taskdb.queries import epics, features


def main() -> None:
    """Print how far epic E90 is, which create_plan.py makes."""
    with Database() as database, database.transaction() as conn:
        epic = epics.progress(conn, key="E90")
        for feature in features.list_progress(conn, epic_id=epic.epic_id):
            done, counted = feature.completed_count, feature.counted_count
            print(f"{feature.key}: {done} of {counted}, {feature.progress_pct} %")
        print(f"{epic.key}: {epic.progress_pct} %, by tasks {epic.weighted_progress_pct} %")

        cached = features.update_progress(conn, key="E90-F01")
        print(f"E90-F01 now keeps {cached} % in progress_pct")


if __name__ == "__main__":
    main()
