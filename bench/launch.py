"""Run a module of this bench on the taskdb that another interpreter has installed.

`other/.venv/bin/python -P bench/launch.py bench.worker ARGUMENTS` measures the checkout of that
interpreter with the code of this one. Modules run this way use nothing of taskdb but what its
versions have in common: `taskdb.database`, `taskdb.query`, `taskdb.queries`, `taskdb.models`.
"""

import runpy
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def main() -> None:
    """Import this folder as `bench`, whatever else has that name, and run the module."""
    folder = Path(__file__).parent
    spec = spec_from_file_location(
        "bench", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["bench"] = bench = module_from_spec(spec)
    spec.loader.exec_module(bench)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
