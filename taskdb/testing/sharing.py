"""One server for all workers of pytest-xdist: its controller opens it when a worker asks first."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from taskdb.testing.databases import Databases

__all__ = ["Desk", "ask"]

WHERE: Final = "where"
CLOSE: Final = "close"


class Desk:
    """A socket in the controller at which workers ask where the databases are.

    Its thread calls *open_databases* at the first question, so a run that needs none starts no
    server. A throwaway server ends with the thread that started it: close the desk after it.
    """

    def __init__(self, open_databases: Callable[[], Databases]) -> None:
        self.key = secrets.token_bytes(16)
        self._open_databases = open_databases
        self._listener = Listener(backlog=64, authkey=self.key)
        self._thread = threading.Thread(target=self._serve, name="taskdb.testing", daemon=True)
        self._thread.start()

    @property
    def address(self) -> Any:
        """Address for `ask`."""
        return self._listener.address

    def close(self) -> None:
        """Answer no more."""
        _request(self.address, self.key, CLOSE)
        self._thread.join()

    def _serve(self) -> None:
        with self._listener:
            asked = WHERE
            while asked != CLOSE:
                # A worker that was killed in the middle of its question needs no answer.
                with (
                    contextlib.suppress(OSError, EOFError, AuthenticationError),
                    self._listener.accept() as worker,
                ):
                    asked = worker.recv()
                    worker.send(None if asked == CLOSE else self._answer())

    def _answer(self) -> Databases | Exception:
        try:
            return self._open_databases()
        except Exception as exc:  # noqa: BLE001  # The worker raises it.
            return exc


def ask(address: Any, key: bytes) -> Databases:
    """Return the databases of the run; raise what kept the controller from opening them."""
    answer = _request(address, key, WHERE)
    if isinstance(answer, Exception):
        raise answer
    return answer  # type: ignore[no-any-return]


def _request(address: Any, key: bytes, what: str) -> Any:
    with Client(address, authkey=key) as desk:
        desk.send(what)
        return desk.recv()
