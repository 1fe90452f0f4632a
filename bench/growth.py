"""How the night grows with the retailer: retailers of an eighth to twice the size, each alike but for its customers.

The growth exponent is the slope of log(cost) over log(customers): 1 is twice the cost for twice the customers.
"""

import math
import re
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from athena_assets.definitions import Overrides, build_athena
from athena_assets.lifecycle.model_spec import MODELS
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_cli.evening import land_history
from athena_cli.simulating import land_simulator
from athena_cli.training import month_before, train_month
from athena_cli.workplace import Workplace
from bench.retailer import temporary_home
from bench.scale import CARRIED, FULL, MeasuredNight, run_nights
from bench.table import Table, mebibytes, seconds
from resources.settings import load_settings

SHARES = (0.125, 0.5, 1.0, 2.0)
PURCHASES_PER_YEAR = 3.0
"""Fewer than a customer of the retailer of `scale` makes, so that twice its customers fit on a laptop's disk."""
TRAINING_ROWS = 100_000
"""What the night costs does not depend on how many rows its model was fitted on."""


@dataclass(frozen=True)
class Size:
    """The nights of a retailer of so many customers."""

    customers: int
    nights: tuple[MeasuredNight, ...]

    def of(self, kind: str) -> MeasuredNight:
        """Its night of that kind."""
        return next(night for night in self.nights if night.kind == kind)


def measure(customers: int, shares: Sequence[float] = SHARES) -> Iterator[Table]:
    """One night of each kind for retailers of these shares of `customers`; the exponent where there are several."""
    sizes = [_nights_of(round(customers * share)) for share in shares]
    yield from (_table(kind, sizes) for kind in (CARRIED, FULL))


def exponent(customers: Sequence[int], costs: Sequence[float]) -> float:
    """The least-squares slope of log(cost) over log(customers)."""
    return statistics.linear_regression([math.log(n) for n in customers], [math.log(cost) for cost in costs]).slope


def _nights_of(customers: int) -> Size:
    with temporary_home(), tempfile.TemporaryDirectory(prefix="athena-bench-") as scratch:
        settings = load_settings()
        land_simulator(
            settings, SimulatorParameters(customers=customers, nights=3, purchases_per_year=PURCHASES_PER_YEAR)
        )
        workplace = Workplace(settings)
        land_history(workplace)
        quick = Workplace(settings)
        # A cached property: what is set first is what it is.
        quick.__dict__["athena"] = build_athena(settings, Overrides(models=_quick_models(Path(scratch))))
        train_month(quick, month_before(workplace.retailer.first_night))
        return Size(customers, tuple(run_nights(workplace, 1)))


def _quick_models(folder: Path) -> Path:
    """The model folders, with a training on fewer rows."""
    models = folder / "models"
    shutil.copytree(MODELS, models)
    for path in models.glob("*/model.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"maximum_rows: \d+", f"maximum_rows: {TRAINING_ROWS}", text), encoding="utf-8")
    return models


def _table(kind: str, sizes: Sequence[Size]) -> Table:
    nights = [size.of(kind) for size in sizes]
    customers = [size.customers for size in sizes]
    rows = [
        (
            f"{size.customers:,}",
            f"{night.floor_phases['customers']:,.0f}",
            seconds(night.process.wall),
            seconds(night.process.cpu),
            mebibytes(night.process.peak_memory),
            seconds(night.floor.wall),
            seconds(night.floor.cpu),
        )
        for size, night in zip(sizes, nights, strict=True)
    ]
    notes = [f"{PURCHASES_PER_YEAR:g} purchases a year each."]
    if len(sizes) > 1:
        wall, cpu, bare = (
            exponent(customers, costs)
            for costs in (
                [night.process.wall for night in nights],
                [night.process.cpu for night in nights],
                [night.floor.cpu for night in nights],
            )
        )
        notes.append(f"Growth exponent: wall {wall:.2f}, CPU {cpu:.2f}; of the bare script's CPU {bare:.2f}.")
    sizes_told = f"{customers[0]:,}" if len(sizes) == 1 else f"{customers[0]:,} to {customers[-1]:,}"
    return Table(
        f"A night of {sizes_told} customers: {kind}",
        ("customers", "active", "wall s", "CPU s", "peak MiB", "bare script, wall s", "CPU s"),
        tuple(rows),
        (" ".join(notes),),
    )
