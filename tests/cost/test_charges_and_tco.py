"""From usage to TCO: nothing lost, nothing twice, whatever the order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cost import book, charges, declared, focus, money, storage, tco, usage
from cost.period import Month
from cost.rate_card import RateCard
from cost.storage import StorageSnapshot, StoredItem
from cost.usage import RUN_TOTAL, UNITS, Usage
from resources.meter import Meter

CARD = RateCard.load()
MONTH = Month(2026, 11)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR_US = 3_600_000_000
GIB = 2**30


def work(
    step: str, *, cpu: int = 0, wall: int = 1, peak: int = 0, model: str | None = None, run: str = "r",
    at: datetime = NOON - timedelta(hours=6), outcome: str = "succeeded", attempt: int = 0, stage: str = "pipeline",
) -> list[Usage]:  # fmt: skip
    quantities = {"cpu": cpu, "wall": wall, "peak_memory": peak}
    end = at + timedelta(microseconds=wall)
    return [
        Usage(run, step, attempt, f"x/{step}", None, model, stage, meter, quantity, UNITS[meter], at, end,
              "measured", outcome)
        for meter, quantity in quantities.items()
    ]  # fmt: skip


def roll_up(made: list[focus.Charge], models: list[str], month: Month = MONTH, as_of: datetime = NOON) -> tco.Tco:
    return tco.roll_up(made, models=models, month=month, as_of=as_of, currency="USD")


def test_charge_when_one_core_hour_and_two_gib_hours_are_used_then_they_cost_the_list_price():
    rows = work("fit", cpu=HOUR_US, wall=HOUR_US, peak=2 * GIB, model="churn", stage="training")
    cpu, memory = sorted(charges.from_usage(rows, CARD, MONTH, NOON), key=lambda each: each.sku_id)
    assert (cpu.billed_cost, cpu.pricing_quantity, cpu.pricing_unit) == (Decimal("0.031611"), 1, "Core-Hours")
    assert (memory.billed_cost, memory.pricing_quantity) == (Decimal("0.008474"), 2)
    assert (cpu.x_cost_category, cpu.x_cost_subcategory, cpu.x_basis) == ("compute", "training", "measured")


def test_charge_when_a_failed_attempt_used_cpu_then_it_is_charged_as_well():
    rows = [
        *work("fit", cpu=HOUR_US, model="churn", outcome="failed"),
        *work("fit", cpu=HOUR_US, model="churn", attempt=1, at=NOON - timedelta(hours=5)),
    ]
    assert roll_up(charges.from_usage(rows, CARD, MONTH, NOON), ["churn"]).total >= 2 * Decimal("0.031611")


def test_overhead_when_a_run_used_more_than_its_steps_then_the_rest_is_named_and_in_no_model():
    rows = [*work(RUN_TOTAL, cpu=3 * HOUR_US), *work("fit", cpu=2 * HOUR_US, model="churn")]
    found = roll_up(charges.from_usage(rows, CARD, MONTH, NOON), ["churn"])
    assert found.of_model("__overhead__") == Decimal("0.031611")
    assert found.of_model("churn") == 2 * Decimal("0.031611")
    (row,) = [row for row in found.rows if row.model == "__overhead__"]
    assert (row.category, row.subcategory, row.method) == ("infrastructure", "orchestration", "residual")


def test_overhead_when_steps_exceed_their_run_then_it_is_refused_and_not_clamped():
    rows = [*work(RUN_TOTAL, cpu=1), *work("fit", cpu=2)]
    with pytest.raises(charges.UsageExceedsRun, match="1 too much"):
        charges.from_usage(rows, CARD, MONTH, NOON)


def test_overhead_when_a_run_passes_the_end_of_the_month_then_each_month_is_charged_its_part_once(tmp_path):
    before, after = MONTH.end - timedelta(hours=1), MONTH.end + timedelta(hours=1)
    path = tmp_path / "usage.sqlite"
    usage.append(
        path,
        [
            *work(RUN_TOTAL, cpu=10 * HOUR_US, wall=4 * HOUR_US, at=before),
            *work("early", cpu=2 * HOUR_US, at=before),
            *work("late", cpu=3 * HOUR_US, at=after),
        ],
    )
    total = Decimal(0)
    for month in (MONTH, Month(2026, 12)):
        made = charges.from_usage(usage.load(path, month), CARD, month, month.end)
        total += roll_up(made, ["churn"], month, month.end).total
    assert total == 10 * Decimal("0.031611")


def test_runs_without_total_when_a_run_was_not_measured_as_a_whole_then_it_is_named():
    rows = [*work(RUN_TOTAL, run="whole", cpu=1), *work("fit", run="whole"), *work("fit", run="open")]
    assert charges.runs_without_total(rows) == ["open"]


def test_metered_run_when_charged_then_models_and_overhead_are_the_price_of_what_the_run_used(tmp_path):
    meter = Meter(tmp_path)
    with meter.measure_run("r"):
        for model in ("churn", "demand"):
            with meter.measure(run_id="r", step=f"fit-{model}", stage="training", model=model):
                sum(range(300_000))
    month = Month.of(datetime.now(UTC))
    rows = usage.load(meter.path, month)
    found = roll_up(charges.from_usage(rows, CARD, month, month.end), ["churn", "demand"], month, month.end)
    (whole,) = [row.quantity for row in rows if row.step == RUN_TOTAL and row.meter == "cpu"]
    parts = sum(row.quantity for row in rows if row.step != RUN_TOTAL and row.meter == "cpu")
    assert 0 < parts < whole
    assert set(found.by(lambda row: row.model)) == {"churn", "demand", "__overhead__"}


def look(hour: int, *items: StoredItem) -> StorageSnapshot:
    return StorageSnapshot(NOON.replace(day=1, hour=hour), items)


def test_storage_when_looked_at_three_times_then_bytes_are_charged_while_they_were_there():
    snapshots = [
        look(0, StoredItem("artifacts/churn", GIB, "churn"), StoredItem("feature store", 2 * GIB)),
        look(10, StoredItem("feature store", 4 * GIB)),
        look(12),
    ]
    made = charges.from_storage(snapshots, CARD, MONTH, NOON)
    hours = {(each.resource_id, each.charge_period_start.hour): each.pricing_quantity for each in made}
    assert hours == {("artifacts/churn", 0): 10, ("feature store", 0): 20, ("feature store", 10): 8}
    assert {each.x_cost_subcategory for each in made} == {"artifacts", "feature store"}
    assert money.total(each.billed_cost for each in made) == 38 * Decimal("0.00005479452")


def test_storage_when_the_last_look_was_last_month_then_it_counts_from_the_first_of_this_one(tmp_path):
    path = tmp_path / "cost" / "usage.sqlite"
    meter = Meter(tmp_path)
    for day, size in ((3, 7), (28, GIB)):
        moment = datetime(2026, 10, day, tzinfo=UTC)
        meter.record_storage(f"r{day}", StorageSnapshot(moment, (StoredItem("feature store", size),)))
    kept = storage.snapshots(usage.load(path, MONTH))
    (charge,) = charges.from_storage(kept, CARD, MONTH, MONTH.start + timedelta(hours=5))
    assert charge.pricing_quantity == 5
    assert charge.charge_period_start == MONTH.start


def test_storage_when_the_home_is_looked_at_then_every_byte_is_in_one_item_with_its_model(tmp_path):
    files = {
        "warehouse.duckdb": 8,
        "warehouse.duckdb.wal": 3,
        "landing/a.parquet": 5,
        "registry/models/churn/3/model.ubj": 7,
        "registry/models/demand/1/model.ubj": 2,
        "registry/mlflow.sqlite": 3,
        "published/predictions/churn/night=2011-08-31/part-0.parquet": 4,
        "published/tco.html": 6,
        "home.json": 1,
    }
    for name, size in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    found = storage.look(tmp_path, NOON)
    assert {(item.key, item.model): item.bytes_stored for item in found.items} == {
        ("feature store", None): 11,
        ("training and evaluation data", None): 5,
        ("artifacts/churn", "churn"): 7,
        ("artifacts/demand", "demand"): 2,
        ("tracking logs", None): 3,
        ("prediction logs/churn", "churn"): 4,
        ("reports", None): 6,
        ("other", None): 1,
    }


def test_declared_charges_when_the_day_is_not_over_then_it_is_not_charged_yet():
    made = charges.from_declared(declared.load(), MONTH, NOON)
    assert {each.day.day for each in made} == set(range(1, 20))
    assert roll_up(made, ["churn"]).of_model("churn") == money.total(each.billed_cost for each in made)


def test_declared_charges_when_the_month_is_over_then_they_are_the_whole_amount():
    made = charges.from_declared(declared.load(), MONTH, MONTH.end)
    assert money.total(each.billed_cost for each in made) == 5000


def test_book_when_charged_and_rolled_up_then_it_is_the_books_table():
    example = book.work_out(2026)
    assert list(example.lines.values()) == [3200, 1800, 500, 4500, 400]
    assert example.month_total == 10_400
    assert example.year_total == 124_800
    assert example.gross_ratio == Decimal("16.83")
    assert example.gross_ratio_in_words == "17 : 1"


def test_book_when_another_year_is_taken_then_the_calendar_changes_nothing():
    assert book.work_out(2028) == book.work_out(2026)


steps = st.lists(
    st.tuples(
        st.integers(0, 10**12),
        st.integers(1, 10**10),
        st.integers(0, 10**12),
        st.sampled_from([None, "churn", "demand"]),
    ),
    max_size=12,
)


def charged(found: list[tuple[int, int, int, str | None]]) -> list[focus.Charge]:
    rows = [
        row
        for number, (cpu, wall, peak, model) in enumerate(found)
        for row in work(f"s{number}", cpu=cpu, wall=wall, peak=peak, model=model)
    ]
    return charges.from_usage(rows, CARD, MONTH, NOON)


@settings(max_examples=60, deadline=None)
@given(steps, st.sets(st.sampled_from(["churn", "demand", "segments"])), st.randoms())
def test_roll_up_when_charges_are_anything_in_any_order_then_the_sum_is_conserved_and_the_rows_are_the_same(
    found, models, random
):
    made = charged(found)
    result = roll_up(made, sorted(models))
    assert result.total == sum((each.billed_cost for each in made), Decimal(0))
    random.shuffle(made)
    assert roll_up(made, sorted(models, reverse=True)) == result


@settings(max_examples=40, deadline=None)
@given(steps)
def test_roll_up_when_filtered_by_model_tag_before_or_after_then_the_direct_part_is_the_same(found):
    made = charged(found)
    after = [row for row in roll_up(made, ["churn", "demand"]).rows if (row.model, row.method) == ("churn", "direct")]
    before = roll_up([each for each in made if each.x_model_id == "churn"], ["churn", "demand"])
    assert money.total(row.billed_cost for row in after) == before.total


@settings(max_examples=40, deadline=None)
@given(steps)
def test_charges_when_made_then_price_times_quantity_is_the_cost_to_half_a_quantum(found):
    for each in charged(found):
        assert abs(each.contracted_unit_price * each.pricing_quantity - each.billed_cost) <= money.QUANTUM / 2


def test_roll_up_when_nobody_can_carry_shared_cost_then_it_is_shown_as_unallocated():
    result = roll_up(charges.from_usage(work("clean", cpu=HOUR_US), CARD, MONTH, NOON), [])
    assert result.by(lambda row: row.model) == {"__unallocated__": Decimal("0.031611")}


def test_roll_up_when_a_charge_comes_twice_then_it_is_refused():
    made = charges.from_usage(work("fit", cpu=5), CARD, MONTH, NOON)
    with pytest.raises(focus.ChargedTwice):
        roll_up([*made, made[0]], ["churn"])


def test_roll_up_when_a_charge_is_of_another_month_or_not_reached_yet_then_it_is_refused():
    made = charges.from_usage(work("fit", cpu=5), CARD, MONTH, NOON)
    with pytest.raises(tco.WrongPeriod):
        roll_up(made, ["churn"], Month(2026, 12))
    with pytest.raises(tco.WrongPeriod):
        roll_up(made, ["churn"], as_of=NOON - timedelta(hours=8))


def test_roll_up_when_a_charge_is_in_another_currency_then_it_is_refused():
    made = charges.from_usage(work("fit", cpu=5), CARD, MONTH, NOON)
    with pytest.raises(money.MixedCurrencies):
        roll_up([replace(made[0], billing_currency="EUR"), *made[1:]], ["churn"])


def test_charge_when_its_cost_is_not_price_times_quantity_then_it_cannot_be_made():
    made = charges.from_usage(work("fit", cpu=HOUR_US), CARD, MONTH, NOON)
    with pytest.raises(focus.InvalidCharge, match="I10"):
        replace(made[0], contracted_cost=made[0].contracted_cost + money.QUANTUM)


def test_unit_cost_when_predictions_are_counted_then_it_is_per_thousand_and_else_null():
    result = roll_up(
        charges.from_usage(work("fit", cpu=HOUR_US, model="churn"), CARD, MONTH, NOON), ["churn", "demand"]
    )
    found = tco.unit_costs(result, {"churn": 2_000, "demand": 0})
    assert found == {"churn": Decimal("0.0158055"), "demand": None}


def test_warehouse_rows_when_written_to_duckdb_then_its_sums_are_the_ledgers():
    rows = [*work(RUN_TOTAL, cpu=HOUR_US), *work("fit", cpu=7), *work("score", cpu=11, model="churn")]
    made = charges.from_usage(rows, CARD, MONTH, NOON)
    result = roll_up(made, ["churn", "demand"])
    tables = {
        "usage": (usage.COLUMNS, usage.warehouse_rows(rows)),
        "charge": (focus.COLUMNS, focus.warehouse_rows(made)),
        "tco": (tco.COLUMNS, result.warehouse_rows()),
    }
    with duckdb.connect() as connection:
        for name, (columns, values) in tables.items():
            connection.execute(f"CREATE TABLE {name} ({', '.join(f'{key} {kind}' for key, kind in columns.items())})")
            connection.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(columns))})", values)
        charge_sum = connection.execute("SELECT sum(BilledCost) FROM charge").fetchall()[0][0]
        tco_sum = connection.execute("SELECT sum(billed_cost) FROM tco").fetchall()[0][0]
        cpu = connection.execute("SELECT sum(quantity) FROM usage WHERE meter = 'cpu' AND step <> '__run__'").fetchall()
    assert charge_sum == tco_sum == result.total
    assert cpu == [(18,)]
