"""Fixtures every room's tests share: the real data beside the checkout, and small homes that a whole evening made.

A home is made once per test session by the real commands, whichever of the parallel workers asks first; a test works
on its own copy of it.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

REPOSITORY = Path(__file__).resolve().parent.parent
CUSTOMERS = 2_000
"""Enough for the gate to pass by a margin: with 600 the calibration error of ten bins is mostly noise."""

RECORDS = ("dagster", "cost", "cache", "monitoring")
"""Folders of a home that a refused command may write to: what runs did and used, and what can be made anew."""

STATUS = "published/status/"
"""Says that what is published is stale once something was refused: a record of refusals, too."""

FIRST_NIGHT = date(2011, 10, 28)
"""The retail shop's last night in its bulk file; two more nights are delivered one by one."""


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout; its absence is a failure in CI and a skip elsewhere."""
    path = REPOSITORY.parent / "shared" / "data"
    if not path.is_dir():
        message = f"real data not found: expected {path.name} under ../shared beside the checkout"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str


Command = Callable[..., Answer]


def run_command(home: Path, *arguments: object) -> Answer:
    """`athena <arguments>` on a home, in this process: the same entry point without paying for its imports again."""
    from athena_cli.main import main

    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        # The command sets the last two itself; naming them here gives them back afterwards.
        for name, value in {"ATHENA_HOME": home, "DAGSTER_HOME": home, "ATHENA_DAGSTER_STORAGE": home}.items():
            patch.setenv(name, str(value))
        patch.setenv("COLUMNS", "80")
        patch.setattr(sys, "argv", ["athena", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int)
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def athena() -> Command:
    """Runs a command: `athena(home, "night", "2011-10-29")`."""
    return run_command


@dataclass(frozen=True)
class Shop:
    """One retailer's folder: its home, and what it delivers."""

    folder: Path

    @property
    def home(self) -> Path:
        """ATHENA_HOME."""
        return self.folder / ".athena"

    @property
    def orders(self) -> Path:
        """The bulk file, to `FIRST_NIGHT`."""
        return self.folder / "orders.csv"

    def night_file(self, day: str) -> Path:
        """The file of one of the two nights after the bulk file."""
        return self.folder / "nights" / f"{day}.csv"

    @property
    def published(self) -> Path:
        """What the retention team reads."""
        return self.home / "published" / "predictions" / "churn"

    def copied_to(self, folder: Path) -> "Shop":
        """A copy that shares nothing with this one: manifests name the copied files."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        copy = Shop(folder)
        for manifest in (copy.home / "landing").glob("*/*.json"):
            manifest.write_text(manifest.read_text().replace(str(self.folder), str(folder)))
        return copy

    def untold(self) -> "Shop":
        """Without what refused commands of other tests have left among the findings of a home that they share."""
        shutil.rmtree(self.home / "monitoring", ignore_errors=True)
        return self

    def files(self) -> dict[str, str]:
        """SHA-256 of every file of the home, the records of runs left out; empty where there is no home."""
        found = [path for path in sorted(self.home.rglob("*")) if path.is_file()]
        named = {str(path.relative_to(self.home)): path for path in found}
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in named.items()
            if Path(name).parts[0] not in RECORDS and not name.startswith(STATUS)
        }

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the home's warehouse."""
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name`, made by the first worker that asks; the others wait for it."""
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = root / name
    with FileLock(root / f"{name}.lock"):
        if not (root / f"{name}.made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (root / f"{name}.made").touch()
    return folder


@pytest.fixture(scope="session")
def simulated_evening(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A home after `athena run` on the simulator: a champion and a published night. Not to be written to."""

    def make(folder: Path) -> None:
        answer = run_command(folder / ".athena", "run", "--customers", CUSTOMERS, "--nights", 1)
        assert answer.code == 0, answer.err
        (folder / "said.txt").write_text(answer.out)
        (folder / "parameters.json").write_text(json.dumps({"customers": CUSTOMERS}))

    return Shop(made_once(tmp_path_factory, "simulated", make))


@pytest.fixture(scope="session")
def retail_files(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """What a shop delivers in the form of Online Retail II: a bulk file and two nights, and no home yet."""

    def make(folder: Path) -> None:
        from athena_assets.sources.simulator.parameters import SimulatorParameters
        from athena_assets.sources.simulator.retailer import simulate

        parameters = SimulatorParameters(customers=CUSTOMERS, nights=3, first_night=FIRST_NIGHT)
        simulate(parameters, folder / "simulated", folder / "truth")
        shop = Shop(folder)
        shop.night_file("any").parent.mkdir()
        with duckdb.connect() as connection:
            connection.execute(f"""
                CREATE VIEW lines AS
                SELECT CASE WHEN is_return THEN 'C' ELSE '' END || order_id[3:] AS Invoice, product_id[3:] AS StockCode,
                    description AS Description, quantity AS Quantity, order_ts AS InvoiceDate, unit_price AS Price,
                    customer_id[3:] AS "Customer ID", country AS Country
                FROM read_parquet('{folder}/simulated/*/order_lines.parquet', hive_partitioning = false)
                ORDER BY order_ts, order_id, product_id, quantity, unit_price
            """)
            nights = [FIRST_NIGHT.replace(day=FIRST_NIGHT.day + more) for more in (1, 2)]
            targets = {shop.orders: f"<= DATE '{FIRST_NIGHT}'"}
            targets |= {shop.night_file(str(night)): f"= DATE '{night}'" for night in nights}
            for target, condition in targets.items():
                connection.execute(
                    f"COPY (SELECT * FROM lines WHERE CAST(InvoiceDate AS DATE) {condition}) TO '{target}' (HEADER)"
                )
        shutil.rmtree(folder / "simulated")
        shutil.rmtree(folder / "truth")

    return Shop(made_once(tmp_path_factory, "retail-files", make))


@pytest.fixture(scope="session")
def retail_evening(tmp_path_factory: pytest.TempPathFactory, retail_files: Shop) -> Shop:
    """The same shop after `athena run`: a champion and one published night. Not to be written to."""

    def make(folder: Path) -> None:
        shop = retail_files.copied_to(folder)
        answer = run_command(shop.home, "run", "--source", "online_retail_ii", "--orders", shop.orders)
        assert answer.code == 0, answer.err
        (folder / "said.txt").write_text(answer.out)

    return Shop(made_once(tmp_path_factory, "retail", make))


@pytest.fixture
def simulated_shop(simulated_evening: Shop, tmp_path: Path) -> Iterator[Shop]:
    """A test's own copy of the simulated home."""
    yield simulated_evening.copied_to(tmp_path / "simulated").untold()
    shutil.rmtree(tmp_path / "simulated", ignore_errors=True)


@pytest.fixture
def retail_shop(retail_evening: Shop, tmp_path: Path) -> Iterator[Shop]:
    """A test's own copy of the shop's home."""
    yield retail_evening.copied_to(tmp_path / "retail").untold()
    shutil.rmtree(tmp_path / "retail", ignore_errors=True)
