"""A project of one's own, that uses the toolkit alone: a package `shop` in a folder."""

from __future__ import annotations

from pathlib import Path

from tests.command_line import Outcome
from tests.warm import run


class Shop:
    """A project in *folder*, whose queries on orders are *sql*, and whose database is at *url*."""

    def __init__(self, folder: Path, url: str, sql: str) -> None:
        self.folder = folder
        self.url = url
        self.module = folder / "shop" / "orders.py"
        self.sql = folder / "shop" / "sql" / "orders.sql"
        self.sql.parent.mkdir(parents=True)
        self.sql.write_text(sql)
        (folder / "shop" / "__init__.py").write_text(
            "from pathlib import Path\nfrom taskdb.query import Queries\n"
            "query = Queries(Path(__file__).parent / 'sql', name='shop')\n"
        )

    def check(self, *arguments: str) -> Outcome:
        """Run `taskdb check` as the project's own pyproject.toml says."""
        return run("check", *arguments, folder=self.folder, more={"SHOP_URL": self.url})

    def call(self, *arguments: str) -> Outcome:
        """Run another command on the package."""
        return run("--url", self.url, *arguments, "--package", "shop", folder=self.folder)

    def generate(self, sql: str, *parts: str) -> None:
        """Have the functions of *sql* written, with these *parts*; the check finds nothing."""
        self.sql.write_text(sql)
        assert self.call("generate").status == 0
        text = self.module.read_text()
        for part in parts:
            assert part in text, text
        checked = self.call("check", "contract")
        assert checked.status == 0, checked.out
