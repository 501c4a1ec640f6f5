"""The queries of a package: every module of it is imported, so that no query is overlooked."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from taskdb.query import Queries

__all__ = ["queries_of"]


def queries_of(package: str) -> list[Queries]:
    """Import *package* with all modules below it, and return each `Queries` that they make.

    One whose stubs are all another package's, such as taskdb's own, is that package's.
    Raises ImportError where a module cannot be imported; of what a module raises itself,
    QueryDefinitionError above all, nothing is hidden.
    """
    # As `python -m` has it: a project's own package lies in the folder one works in.
    if "" not in sys.path:
        sys.path.insert(0, "")
    modules = [importlib.import_module(package)]
    path = getattr(modules[0], "__path__", None)
    if path is not None:
        modules += [
            importlib.import_module(each.name)
            for each in pkgutil.walk_packages(path, f"{package}.", onerror=_raise)
            if not each.name.endswith(".__main__")
        ]
    found = {
        id(value): value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Queries)
    }
    top = package.partition(".")[0]
    return [each for each in found.values() if not list(each) or _has_stubs_in(each, top)]


def _has_stubs_in(queries: Queries, top: str) -> bool:
    return any(query.function.__module__.partition(".")[0] == top for query in queries)


def _raise(name: str) -> None:
    """Let an error in a package's own `__init__` through, which walk_packages would swallow."""
    raise  # noqa: PLE0704
