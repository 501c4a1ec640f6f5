"""A TCP proxy in front of a server: it cuts, resets and stalls connections where it is told to."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

from psycopg.conninfo import conninfo_to_dict, make_conninfo

# Looks whether the proxy is closed, where nothing comes.
TICK: Final = 0.1

# Predicate of the requests that a fault meets, by their number on this proxy and their bytes.
Meets: TypeAlias = Callable[[int, bytes], bool]


@dataclass(frozen=True)
class Fault:
    """One fault, for the next request that it *meets*.

    The request is lost on its way to the server (`before`), or its answer on the way back
    (`after`, once the server has sent it). Then the connection is closed (`cut`), reset
    (`reset`), or stays open and silent (`stall`).
    """

    meets: Meets
    when: Literal["before", "after"] = "after"
    how: Literal["cut", "reset", "stall"] = "cut"


def has(*words: bytes) -> Meets:
    """Meet a request whose bytes contain one of *words*, in any case."""
    return lambda number, data: any(word in data.lower() for word in words)


class Proxy:
    """Passes a server's Unix socket on over TCP, used with `with`.

    `stalled` makes it drop all that comes, in both directions; `faults` meet one request each, the
    first one first; `requests` counts what clients sent, an answer between one and the next.
    """

    def __init__(self, url: str, *faults: Fault) -> None:
        parts = conninfo_to_dict(url)
        self.target = Path(str(parts["host"]), f".s.PGSQL.{parts.get('port', 5432)}")
        self.faults = list(faults)
        self.stalled = False
        self.requests = 0
        self._counting = threading.Lock()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TICK)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        port = self._listener.getsockname()[1]
        # A client on TCP is not asked for the peer of a socket.
        given = {name: value for name, value in parts.items() if name != "requirepeer"}
        there = {"host": "127.0.0.1", "port": port, "connect_timeout": 2}
        self.url = make_conninfo("", **{**given, **there})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            client.setblocking(True)
            thread = threading.Thread(target=self._serve, args=[client], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            try:
                server.connect(str(self.target))
                self._pass(client, server)
            except OSError:
                return  # One of the two is gone, and so is the other at the end of this block.

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        answered, fault = True, None
        while not self._over.is_set():
            for here in select.select([client, server], [], [], TICK)[0]:
                if not (data := here.recv(65536)):
                    return
                if self.stalled:
                    continue
                if here is server:
                    if fault is not None:
                        self._break(fault, client)
                        return
                    answered = True
                    client.sendall(data)
                    continue
                if answered:
                    fault, answered = self._fault_of(data), False
                    if fault is not None and fault.when == "before":
                        self._break(fault, client)
                        return
                server.sendall(data)

    def _fault_of(self, data: bytes) -> Fault | None:
        with self._counting:
            self.requests += 1
            if self.faults and self.faults[0].meets(self.requests, data):
                return self.faults.pop(0)
        return None

    def _break(self, fault: Fault, client: socket.socket) -> None:
        if fault.how == "stall":
            # Silent until the client gives up, which the server learns.
            while not self._over.is_set():
                if select.select([client], [], [], TICK)[0] and not client.recv(65536):
                    return
        elif fault.how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
