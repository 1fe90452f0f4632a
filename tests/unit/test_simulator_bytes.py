"""The simulator as a function: same parameters, same bytes; what comes later changes nothing before."""

import hashlib
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from athena_assets.sources.simulator import files, population
from athena_assets.sources.simulator.parameters import InvalidSimulatorParameter, SimulatorParameters
from athena_assets.sources.simulator.retailer import SimulatorOutputExists, simulate
from athena_assets.sources.simulator.workers import SimulatorWorkerLost, worker_pool

SMALL = {"customers": 300, "history_days": 120, "nights": 2, "first_night": date(2026, 3, 1)}


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


def written(folder: Path, **parameters) -> dict[str, str]:
    simulate(SimulatorParameters(**(SMALL | parameters)), folder / "landing", folder / "truth")
    return digests(folder)


def test_files_when_simulated_in_another_process_then_byte_identical(tmp_path, repository):
    here = written(tmp_path / "here")
    script = (
        "import sys; from datetime import date; from pathlib import Path\n"
        "from athena_assets.sources.simulator.parameters import SimulatorParameters\n"
        "from athena_assets.sources.simulator.retailer import simulate\n"
        f"folder = Path(sys.argv[1]); simulate(SimulatorParameters(**{SMALL!r}".replace("datetime.date", "date")
        + "), folder / 'landing', folder / 'truth')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(repository), "PYTHONHASHSEED": "12345"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "there")], check=True, env=environment)
    assert len(here) == 3 * 6 + 4
    assert digests(tmp_path / "there") == here


def test_files_when_seed_differs_then_they_differ(tmp_path):
    one, other = written(tmp_path / "one", seed=1), written(tmp_path / "other", seed=2)
    # A night of so few customers may deliver an empty table under both seeds.
    same = [name for name in one if one[name] == other[name]]
    assert [name for name in same if "night=" not in name] == []
    assert not any("order" in name for name in same)


def test_earlier_deliveries_when_more_nights_follow_then_unchanged(tmp_path):
    two, five = written(tmp_path / "two", nights=2), written(tmp_path / "five", nights=5)
    delivered = [name for name in two if name.startswith("landing/")]
    assert len(delivered) == 18
    assert {name: five[name] for name in delivered} == {name: two[name] for name in delivered}


def test_files_when_several_processes_share_the_blocks_then_the_bytes_of_one(tmp_path, monkeypatch):
    monkeypatch.setattr(population, "BLOCK_CUSTOMERS", 100)
    alone = written(tmp_path / "alone")
    simulate(SimulatorParameters(**SMALL), tmp_path / "shared" / "landing", tmp_path / "shared" / "truth", workers=3)
    assert digests(tmp_path / "shared") == alone
    assert {path.suffix for path in (tmp_path / "shared").rglob("*") if path.is_file()} == {".parquet"}


def test_history_when_customers_span_blocks_then_a_file_of_each_and_unique_ids(tmp_path, monkeypatch):
    monkeypatch.setattr(population, "BLOCK_CUSTOMERS", 100)
    simulated = simulate(SimulatorParameters(**SMALL), tmp_path / "landing", tmp_path / "truth")
    history, *nights = simulated.deliveries
    assert [path.name for path in history.tables["orders"].paths] == [f"orders-0000{block}.parquet" for block in "012"]
    assert {path.name for night in nights for path in night.tables["orders"].paths} == {"orders.parquet"}
    described = {path for delivery in simulated.deliveries for t in delivery.tables.values() for path in t.paths}
    assert described == set((tmp_path / "landing").rglob("*.*"))

    def column(table, name):
        return [value for path in history.tables[table].paths for value in pq.read_table(path)[name].to_pylist()]

    assert column("customers", "customer_id") == [f"C-{number:08d}" for number in range(1, 301)]
    for night in nights:
        (path,) = night.tables["orders"].paths
        blocks = [int(order[2:6]) for order in pq.read_table(path, partitioning=None)["order_id"].to_pylist()]
        assert blocks == sorted(blocks)
    numbers = column("orders", "order_id")
    assert len(set(numbers)) == len(numbers) == history.tables["orders"].rows > 300


def test_files_when_a_block_is_large_then_row_groups_stay_small_enough_for_one_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROW_GROUP_ROWS", 500)
    written(tmp_path)
    metadata = pq.ParquetFile(tmp_path / "landing" / "history" / "order_lines.parquet").metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert len(sizes) > 3
    assert set(sizes[:-1]) == {500}


def test_workers_when_one_is_killed_then_the_error_says_what_to_do():
    with pytest.raises(SimulatorWorkerLost, match="ended before it was done") as raised, worker_pool(2) as pool:
        list(pool.each(signal.raise_signal, [signal.SIGKILL]))
    assert "ATHENA_THREADS=1" in raised.value.next_command


def test_workers_when_a_piece_fails_then_its_own_error_is_raised_here(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), worker_pool(2) as pool:
        list(pool.each(os.rmdir, [tmp_path / "nowhere"]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("customers", 99),
        ("history_days", 29),
        ("nights", -1),
        ("holdout_share", 0.0),
        ("dropout_shape", 1.0),
        ("campaign_gap_days", 14),
        ("return_rate", 1.5),
        ("purchases_per_year", float("nan")),
        ("customers", "many"),
        ("customers", 1000.5),
        ("customers", True),
        ("first_night", "2026-10-29"),
        ("bulk_share", -0.1),
        ("price_inflation", -0.01),
        ("product_life_years", 0.0),
        ("loyalty_joins_per_year", -1.0),
        ("loyalty_purchase_lift", 0.9),
        ("loyalty_basket_lift", 6.0),
        ("staff_share", 0.3),
        ("bot_share", 1.0),
        ("late_till_share", 1.1),
    ],
)
def test_parameters_when_a_value_is_impossible_then_the_error_names_it(name, value):
    with pytest.raises(InvalidSimulatorParameter, match=name) as raised:
        SimulatorParameters(**{name: value})
    assert str(value) in str(raised.value)
    assert raised.value.next_command


def test_output_when_folder_is_occupied_then_refused_and_untouched(tmp_path):
    occupied = tmp_path / "landing"
    occupied.mkdir()
    (occupied / "precious.txt").write_text("mine")
    with pytest.raises(SimulatorOutputExists, match="does not overwrite"):
        simulate(SimulatorParameters(**SMALL), occupied, tmp_path / "truth")
    assert [path.name for path in tmp_path.rglob("*")] == ["landing", "precious.txt"]


@pytest.mark.parametrize("hidden", [".", "truth", ".."])
def test_output_when_truth_shares_the_delivery_folder_then_refused(tmp_path, hidden):
    landing = tmp_path / "here" / "landing"
    with pytest.raises(SimulatorOutputExists, match="overlap"):
        simulate(SimulatorParameters(**SMALL), landing, landing / hidden)


def test_output_when_writing_fails_then_nothing_is_left(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match=r"file"):
        simulate(SimulatorParameters(**SMALL), tmp_path / "landing", tmp_path / "file" / "truth")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
