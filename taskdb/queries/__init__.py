"""The task database as typed functions: one module an area, named as in `sql/queries`.

Every function takes a psycopg connection first. With a `Connection` it returns the
result, with an `AsyncConnection` what awaits it. None commits: the caller owns the
connection and the transaction.
"""

from importlib.resources import files as _files

from taskdb.query import Queries

query = Queries(_files("taskdb").joinpath("sql", "queries"))

from taskdb.queries import (  # noqa: E402
    checks,
    claims,
    contract,
    demo,
    dependencies,
    doctor,
    epics,
    exchange,
    executions,
    expectations,
    extensions,
    externals,
    features,
    files,
    flow,
    graph,
    history,
    implementation_tasks,
    locks,
    migrations,
    modifications,
    pages,
    planning,
    plans,
    projects,
    schema,
    scratch,
    search,
    seed,
    session,
    specs,
    subtasks,
    tasks,
    templates,
    workflows,
    workspaces,
)

query.complete()

__all__ = [
    "checks",
    "claims",
    "contract",
    "demo",
    "dependencies",
    "doctor",
    "epics",
    "exchange",
    "executions",
    "expectations",
    "extensions",
    "externals",
    "features",
    "files",
    "flow",
    "graph",
    "history",
    "implementation_tasks",
    "locks",
    "migrations",
    "modifications",
    "pages",
    "planning",
    "plans",
    "projects",
    "query",
    "schema",
    "scratch",
    "search",
    "seed",
    "session",
    "specs",
    "subtasks",
    "tasks",
    "templates",
    "workflows",
    "workspaces",
]
