"""`athena ui`: the Dagster UI of this home, on loopback."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from resources.orchestrator import prepare_dagster_home
from resources.settings import load_settings

WORKSPACE = Path(__file__).resolve().parent.parent / "workspace.yaml"


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to bind; loopback unless told otherwise.")] = "127.0.0.1",
) -> None:
    """Start the Dagster UI: assets, checks, lineage, plots, runs."""
    prepare_dagster_home(load_settings())
    dagster = str(Path(sys.executable).with_name("dagster"))
    os.execv(dagster, [dagster, "dev", "-w", str(WORKSPACE), "-h", host, "-p", str(port)])
