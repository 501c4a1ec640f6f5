"""`taskdb metrics`: the figures in Prometheus' text format, or an endpoint that has them."""

from __future__ import annotations

import signal
import threading

import click

from taskdb.cli.common import Target, with_target
from taskdb.database.settings import Settings

__all__ = ["metrics"]


def _address(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, int] | None:
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{value!r} is no address; write it as HOST:PORT")
    return host.strip("[]"), int(port)


@click.command()
@click.option(
    "--listen",
    "address",
    callback=_address,
    metavar="HOST:PORT",
    help="Answer scrapes there until SIGTERM or Ctrl-C.",
)
@with_target
def metrics(target: Target, *, address: tuple[str, int] | None) -> None:
    """Print the health of the workspace in Prometheus' text format, or serve it.

    docs/operations.md says what each metric means. A service that has an endpoint of its own
    registers `taskdb.health.exposition.Exposition` there instead.

    Example: taskdb metrics --listen 127.0.0.1:9187
    """
    from prometheus_client import CollectorRegistry, generate_latest

    from taskdb.health.exposition import Exposition, serve

    target.connect().close()
    exposition = Exposition(Settings.read(target.conninfo(), workspace=target.workspace))
    if address is None:
        registry = CollectorRegistry()
        registry.register(exposition)
        click.echo(generate_latest(registry).decode(), nl=False)
        exposition.close()
        return
    over = threading.Event()

    def end(*_: object) -> None:
        over.set()

    signal.signal(signal.SIGTERM, end)
    server, _ = serve(exposition, *address)
    click.echo(f"listening on {address[0]}, port {server.server_port}", err=True)
    try:
        over.wait()
    finally:
        server.shutdown()
        exposition.close()
