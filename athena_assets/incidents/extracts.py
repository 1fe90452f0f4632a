"""What the replayed retailer delivers: a bulk history, then full extracts of its order system night after night.

    <folder>/history/<table>.parquet            everything that was known before the first night
    <folder>/<YYYY-MM-DD>/<table>.parquet       order system: everything known when the night ended
                                                contact centre: the night's own rows

The rows are the simulator's; only the form of the delivery is the retailer's own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb

from athena_assets.nights import Night
from athena_assets.sources.parsing import quote_name, quote_text
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.retailer import simulate
from athena_assets.sources.simulator.scenarios import names_of_night
from athena_assets.sources.source import Source, mapped_source

MAPPING = Path(__file__).parent / "order_system.yaml"
ARRIVES_AT_MINUTE = 30
"""Past the midnight that ends the night: when the retailer's systems deliver, by its own clock."""


@dataclass(frozen=True)
class NightlyDelivery:
    """The folder that a night delivers."""

    night: Night
    folder: Path

    @property
    def arrived_at(self) -> datetime:
        """When it came, by the retailer's clock."""
        return self.night.as_of.replace(minute=ARRIVES_AT_MINUTE)


@dataclass(frozen=True)
class Retailer:
    """Everything that the retailer delivers, the nights in the order of time."""

    source: Source
    history: Path
    nights: tuple[NightlyDelivery, ...]

    def known_by(self, night: Night) -> tuple[Path, ...]:
        """The folders that had been delivered when the night ended, the history first."""
        return (self.history, *(each.folder for each in self.nights if each.night <= night))


def deliver(parameters: SimulatorParameters, folder: Path, *, scratch: Path) -> Retailer:
    """Simulate the retailer and write its deliveries to `folder`.

    scratch: a folder for the simulator's own output, absent or empty; not needed afterwards.
    Every extract from the night `rename_from` on is renamed in every row that it holds. No order is corrected: an
    extract holds an order once.
    """
    simulated = simulate(
        replace(parameters, rename_from=None, correction_share=0.0), scratch / "simulated", scratch / "truth"
    )
    source = mapped_source(MAPPING)
    folder.mkdir(parents=True, exist_ok=True)
    history, *nightly = simulated.deliveries
    (folder / "history").mkdir()
    so_far = [{name: table.paths for name, table in history.tables.items()}]
    delivered = []
    with duckdb.connect(config={"threads": 2}) as connection:
        for table, paths in so_far[0].items():
            _write(connection, paths, folder / "history" / f"{table}.parquet", {})
        for delivery in nightly:
            night = Night(delivery.last_day)
            so_far.append({name: table.paths for name, table in delivery.tables.items()})
            target = folder / night.key
            target.mkdir()
            for table in source.tables:
                full = source.repeats_earlier_nights(table, "nightly")
                _write(
                    connection,
                    [file for each in (so_far if full else so_far[-1:]) for file in each[table]],
                    target / f"{table}.parquet",
                    names_of_night(parameters, table, night.day),
                )
            delivered.append(NightlyDelivery(night, target))
    return Retailer(source, folder / "history", tuple(delivered))


def _write(
    connection: duckdb.DuckDBPyConnection, files: Iterable[Path], target: Path, names: Mapping[str, str]
) -> None:
    """One delivered file from several of the simulator's, in their order, with columns under other names."""
    listed = ", ".join(quote_text(str(path)) for path in files)
    scanned = f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"
    columns = connection.execute(f"DESCRIBE {scanned}").fetchall()
    selected = ", ".join(f"{quote_name(name)} AS {quote_name(names.get(name, name))}" for name, *_ in columns)
    connection.execute(
        f"COPY (SELECT {selected} FROM ({scanned})) TO {quote_text(str(target))} (FORMAT parquet, COMPRESSION zstd)"
    )
