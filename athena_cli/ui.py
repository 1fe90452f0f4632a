"""`athena ui`: the Dagster UI of this home, on loopback."""

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from athena_assets.errors import AthenaError
from athena_cli.output import console
from resources.abandoned_runs import close_abandoned_runs_of_home
from resources.orchestrator import prepare_dagster_home
from resources.settings import load_settings

WORKSPACE = Path(__file__).resolve().parent.parent / "workspace.yaml"
SUPERSEDED = "ignore:Function `dev_command` is superseded"
"""Dagster's advice to use another tool that does the same; it would greet every start."""


class AddressInUse(AthenaError):
    """Something else listens where the UI should, or the address is not this machine's."""


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to bind; loopback unless told otherwise.")] = "127.0.0.1",
) -> None:
    """Start the Dagster UI: assets, checks, lineage, plots, runs. It stops with Ctrl-C."""
    _refuse_taken(host, port)
    folder = prepare_dagster_home(load_settings())
    close_abandoned_runs_of_home()
    # Dagster warns about a dagster.yaml in the current folder that is not its home's.
    os.chdir(folder)
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), SUPERSEDED]))
    console.print(f"starting the UI on http://{host}:{port}, which takes about 20 s")
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.execv(dagster, [dagster, "dev", "-w", str(WORKSPACE), "-h", host, "-p", str(port)])


def _refuse_taken(host: str, port: int) -> None:
    """Raise `AddressInUse` now, rather than after Dagster's other processes have started."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressInUse(
                "the UI cannot listen there",
                expected=f"{host}:{port} free",
                found=error.strerror or str(error),
                next_command=f"athena ui --port {port + 1 if port < 65535 else port - 1}",
            ) from None
