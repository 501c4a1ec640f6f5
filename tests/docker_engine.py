"""A Docker engine in so far as testcontainers asks for one; its one image is PostgreSQL.

"Starting a container" starts an embedded server on a TCP port. What is not needed to run
`PostgresContainer` is answered with 404, so a request that is new shows itself.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
from psycopg import sql

from taskdb.embedded import Server
from taskdb.embedded.temporary import THROWAWAY_SETTINGS

OUTPUT = b"\x01\0\0\0\0\0\0\x02ok"  # One frame of two bytes on a container's standard output.


@dataclass
class Engine:
    """Requests to the engine, and its containers' servers by the container's id."""

    url: str = ""
    requests: list[str] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    servers: dict[str, Server] = field(default_factory=dict)

    def answer(self, request: str, body: dict[str, Any]) -> Any:
        """Return the answer to *request*, such as ``POST /containers/create``; None for 404."""
        self.requests.append(request)
        if match := re.fullmatch(r"(GET|POST|DELETE) /containers/(c\d+)(/\w+)?", request):
            return self._container(match[1], match[2], match[3])
        if request == "POST /containers/create":
            self.created.append(body)
            return {"Id": f"c{len(self.created) - 1}", "Warnings": []}
        return {
            "GET /version": {"ApiVersion": "1.44"},
            "GET /images/postgres:18-alpine/json": {"Id": "sha256:0"},
            "GET /networks": [],
            "POST /exec/e/start": OUTPUT,
            "GET /exec/e/json": {"ExitCode": 0, "Running": False},
        }.get(request)

    def _container(self, method: str, name: str, verb: str | None) -> Any:
        if verb == "/start":
            self.servers[name] = _start(self.created[int(name[1:])]["Env"])
        elif verb == "/exec":
            return {"Id": "e"}
        elif method == "DELETE":
            _remove(self.servers.pop(name))
        port = self.servers[name].settings["port"] if name in self.servers else ""
        ports = {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]}
        state = {"Status": "running" if port else "created", "Running": bool(port)}
        image = {"Image": "postgres:18-alpine", "Labels": {}}
        return {
            "Id": name,
            "Name": f"/{name}",
            "State": state,
            "Config": image,
            "NetworkSettings": {"Ports": ports, "Networks": {}},
        }


@contextlib.contextmanager
def docker_engine() -> Generator[Engine]:
    """Run an engine; `url` is what DOCKER_HOST names it by."""
    engine = Engine()
    handler = type("EngineHandler", (Handler,), {"engine": engine})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    engine.url = f"tcp://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield engine
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        for name in list(engine.servers):
            _remove(engine.servers.pop(name))


class Handler(BaseHTTPRequestHandler):
    """Reads a request, asks `engine`, and closes the connection, which ends an answer's frames."""

    engine: Engine

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = re.sub(r"^/v[\d.]+", "", self.path.partition("?")[0])
        answer = self.engine.answer(f"{self.command} {path}", json.loads(body or b"{}"))
        framed = isinstance(answer, bytes)
        kind = "application/vnd.docker.raw-stream" if framed else "application/json"
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        text = {"message": f"no {path}"} if answer is None else answer
        self.wfile.write(answer if framed else json.dumps(text).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; `Engine.requests` has them all."""


def _start(variables: list[str]) -> Server:
    environment = dict(variable.split("=", 1) for variable in variables)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    settings = {**THROWAWAY_SETTINGS, "listen_addresses": "127.0.0.1", "port": port}
    directory = tempfile.mkdtemp(prefix="taskdb-container-")
    server = Server(directory, database=environment["POSTGRES_DB"], settings=settings)
    server.start()
    create = sql.SQL("create role {} superuser login password {}")
    user = sql.Identifier(environment["POSTGRES_USER"])
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(create.format(user, environment["POSTGRES_PASSWORD"]))
    return server


def _remove(server: Server) -> None:
    server.stop()
    shutil.rmtree(server.directory)
