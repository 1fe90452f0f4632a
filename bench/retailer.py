"""The retailer that benchmarks work on: simulated, in a temporary home, with a champion and nights still to run."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_cli.evening import land_history
from athena_cli.simulating import land_simulator
from athena_cli.training import month_before, train_month
from athena_cli.workplace import Workplace
from resources.settings import load_settings


@contextmanager
def temporary_home() -> Iterator[Path]:
    """An empty home that this process works in, removed afterwards; the user's own is never touched."""
    before = os.environ.get("ATHENA_HOME")
    with tempfile.TemporaryDirectory(prefix="athena-bench-") as folder:
        home = Path(folder) / "home"
        os.environ["ATHENA_HOME"] = str(home)
        try:
            yield home
        finally:
            if before is None:
                del os.environ["ATHENA_HOME"]
            else:
                os.environ["ATHENA_HOME"] = before


@contextmanager
def small_retailer(customers: int, nights: int) -> Iterator[Workplace]:
    """A home whose history is cleaned and whose models are trained; `nights` are delivered and not yet run."""
    with temporary_home():
        settings = load_settings()
        land_simulator(settings, SimulatorParameters(customers=customers, nights=nights))
        workplace = Workplace(settings)
        land_history(workplace)
        for spec in workplace.athena.models:
            train_month(workplace, month_before(workplace.retailer.first_night), model=spec.name)
        yield workplace
