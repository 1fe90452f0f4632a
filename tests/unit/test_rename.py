"""A missing column and what looks like it: by name, type and distribution, and where the three disagree."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from athena_assets.sources.errors import ColumnsDiffer
from athena_assets.sources.files import ReadableFile, shape_of
from athena_assets.sources.likeness import (
    Sample,
    distance,
    ks_by_chance,
    ks_distance,
    name_likeness,
    total_variation,
    tv_by_chance,
)
from athena_assets.sources.refusal import diagnosed
from athena_assets.sources.rename import LastGood, RefusedFile
from athena_assets.sources.source import DeliveredAs, source_named

SOURCE = source_named("simulator")
LAST, NIGHT = date(2026, 11, 3), date(2026, 11, 4)
ROWS = 600
VALUES = st.lists(st.integers(0, 30), min_size=2, max_size=60)

ORDERS = """
    SELECT 'O-' || lpad(CAST({first} + i AS VARCHAR), 8, '0') AS order_id,
        'C-' || lpad(CAST(hash(i, {seed}) % 5000 AS VARCHAR), 8, '0') AS customer_id,
        TIMESTAMP '{day}' + INTERVAL 1 SECOND * CAST(28800 + 43200 * u1 AS BIGINT) AS order_ts,
        CAST(exp(3.5 + 0.8 * sqrt(-2 * ln(1 - u2)) * cos(6.2832 * u3)) AS DECIMAL(18,4)) AS total_order_amount,
        u4 < 0.05 AS is_return,
        CASE WHEN u5 < 0.6 THEN 'web' WHEN u5 < 0.85 THEN 'app' ELSE 'store' END AS channel,
        CASE WHEN u6 < 0.9 THEN 'United Kingdom' ELSE 'France' END AS country,
        TIMESTAMP '{day}' + INTERVAL 1470 MINUTE AS known_at
    FROM (SELECT i, {uniforms} FROM range({rows}) r(i)) ORDER BY i
"""


def uniforms(seed: int) -> str:
    return ", ".join(f"(hash(i, {seed}, {k}) % 1000000) / 1000000.0 AS u{k}" for k in range(1, 7))


def delivered(path: Path, day: date, change: str = "SELECT * FROM orders", *, seed: int = 1, rows: int = ROWS) -> Path:
    """One night's orders, as `change` turns them into a file."""
    orders = ORDERS.format(day=day, seed=seed, rows=rows, first=seed * 100_000, uniforms=uniforms(seed))
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE orders AS {orders}")
        connection.execute(f"COPY ({change}) TO '{path}'")
    return path


def refusal(
    folder: Path, change: str, *, kind: str = "parquet", reference: bool = True, night: date | None = NIGHT
) -> ColumnsDiffer:
    """What is said of a night whose orders were changed so, after a good night."""
    with duckdb.connect() as connection:
        last_good = None
        if reference:
            before = ReadableFile(delivered(folder / f"before.{kind}", LAST, seed=1), kind)
            as_delivered = DeliveredAs("d-1", "nightly", LAST, LAST)
            shape = shape_of(connection, before, "before")
            select = SOURCE.raw_select("orders", before, shape, as_delivered, file_name="before")
            last_good = LastGood((select,), LAST)
        readable = ReadableFile(delivered(folder / f"orders.{kind}", NIGHT, change, seed=2), kind)
        shape = shape_of(connection, readable, "orders")
        with pytest.raises(ColumnsDiffer) as caught:
            as_delivered = DeliveredAs("d-2", "nightly", NIGHT, NIGHT)
            SOURCE.raw_select("orders", readable, shape, as_delivered, file_name="orders")
        file = RefusedFile("orders", readable, shape, night)
        return diagnosed(connection, SOURCE, file, caught.value, lambda _: last_good)


def renamed(old: str, new: str, more: str = "") -> str:
    return f'SELECT * EXCLUDE ({old}), {old} AS "{new}"{more and ", "}{more} FROM orders'


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("old", "new", "measure"),
    [
        ("total_order_amount", "order_total_amount", "KS"),
        ("order_ts", "ordered_at_ts", "KS"),
        ("channel", "sales_channel", "TV"),
        ("customer_id", "client_customer_id", "TV"),
        ("order_id", "OrderId", "TV"),
        ("is_return", "return_flag_is", "TV"),
    ],
)
def test_column_when_renamed_then_the_new_one_is_named_with_what_speaks_for_it(
    tmp_path: Path, kind: str, old: str, new: str, measure: str
) -> None:
    error = refusal(tmp_path, renamed(old, new), kind=kind)
    assert f"orders.{old} is missing; {new} looks like it (name, type, distribution: {measure} 0.0" in error.what
    assert "Compared with what was delivered to night 2026-11-03; nothing is accepted by itself" in error.what
    command = f"athena contracts accept-alias raw.orders {new}={old} --by NAME --reason TEXT"
    assert (error.accepting, error.next_command) == ((command,), command)


def test_column_when_a_decoy_has_the_better_name_then_the_distribution_decides(tmp_path: Path) -> None:
    decoy = "CAST(1000 + 9000 * random() AS DECIMAL(18,4)) AS order_total_amount"
    error = refusal(tmp_path, renamed("total_order_amount", "amount_of_order", decoy))
    assert "amount_of_order looks like it (name, type, distribution: KS 0.0" in error.what
    assert "order_total_amount has the name, but not the distribution (KS " in error.what
    assert error.accepting == (
        "athena contracts accept-alias raw.orders amount_of_order=total_order_amount --by NAME --reason TEXT",
    )


def test_columns_when_two_are_renamed_and_their_new_names_crossed_then_values_decide(tmp_path: Path) -> None:
    change = "SELECT * EXCLUDE (customer_id, order_id), customer_id AS id_order, order_id AS id_customer FROM orders"
    error = refusal(tmp_path, change)
    assert "orders.order_id is missing; id_customer looks like it (type, distribution: TV 0.00)" in error.what
    assert "id_order has the name, but not the distribution (TV 1.00)" in error.what
    assert "id_customer=order_id" in error.accepting[0]
    assert "id_order=customer_id" in error.accepting[1]


def test_column_when_two_new_ones_hold_the_same_then_both_are_ranked_and_none_is_proposed(tmp_path: Path) -> None:
    copy = "total_order_amount AS amount_order_total"
    error = refusal(tmp_path, renamed("total_order_amount", "order_total_amount", copy))
    assert "amount_order_total looks like it" in error.what
    assert "order_total_amount looks like it" in error.what
    assert "are too close to tell which" in error.what
    assert error.accepting == ()
    assert error.next_command is not None
    assert error.next_command.startswith("ask data-platform which it is, then the one of: ")
    assert error.next_command.count("accept-alias") == 2


def test_columns_when_two_are_missing_and_one_is_new_then_it_stands_for_one_of_them(tmp_path: Path) -> None:
    error = refusal(tmp_path, "SELECT * EXCLUDE (order_id, customer_id), order_id AS id_order FROM orders")
    assert "orders.order_id is missing; id_order looks like it (name, type, distribution: TV 0.00)" in error.what
    assert "orders.customer_id is missing; no new column looks like it (new: id_order)" in error.what
    assert error.accepting == ()
    assert error.next_command is not None
    assert error.next_command.startswith("ask data-platform for the complete file; what was renamed in it is accepted")
    twice = refusal(tmp_path, "SELECT * EXCLUDE (channel, country), channel AS channel_country FROM orders")
    assert "orders.channel is missing; channel_country looks like it" in twice.what
    assert "orders.country is missing; channel_country has the name, but not the distribution" in twice.what


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_column_when_the_new_one_holds_nothing_then_its_name_does_not_make_it_a_candidate(
    tmp_path: Path, kind: str
) -> None:
    empty = "SELECT * EXCLUDE (total_order_amount), CAST(NULL AS DECIMAL(18,4)) AS order_total_amount FROM orders"
    error = refusal(tmp_path, empty, kind=kind)
    assert "order_total_amount has the name, but holds nothing; no new column looks like it" in error.what
    assert error.accepting == ()
    assert error.next_command is not None
    assert error.next_command.startswith("ask data-platform for the complete file")


def test_column_when_only_its_case_changed_then_it_is_the_same_words(tmp_path: Path) -> None:
    error = refusal(tmp_path, renamed("total_order_amount", "Total_Order_Amount"))
    assert "Total_Order_Amount looks like it (name, type, distribution: KS 0.0" in error.what


def test_column_when_mostly_null_under_its_new_name_then_it_is_not_the_same(tmp_path: Path) -> None:
    change = (
        "SELECT * EXCLUDE (total_order_amount), CASE WHEN hash(order_id) % 100 >= 94 THEN total_order_amount END"
        " AS order_total_amount FROM orders"
    )
    error = refusal(tmp_path, change)
    assert error.accepting == ()
    assert "order_total_amount has the name, but" in error.what


def test_column_when_its_type_changed_too_then_the_name_alone_is_told(tmp_path: Path) -> None:
    error = refusal(tmp_path, renamed("channel", "sales_channel").replace("channel AS", "length(channel) AS"))
    assert "sales_channel has the name, but not the type" in error.what
    assert error.accepting == ()


def test_flag_when_another_flag_is_new_then_chance_is_not_taken_for_likeness(tmp_path: Path) -> None:
    error = refusal(tmp_path, "SELECT * EXCLUDE (is_return), hash(order_id) % 20 = 0 AS gift_wrapped FROM orders")
    assert "orders.is_return is missing; no new column looks like it (new: gift_wrapped)" in error.what


def test_column_when_nothing_was_delivered_before_then_only_name_and_type_speak(tmp_path: Path) -> None:
    error = refusal(tmp_path, renamed("total_order_amount", "order_total_amount"), reference=False)
    assert "order_total_amount looks like it (name, type, nothing to compare it with)" in error.what
    assert "There is no earlier delivery to compare it with" in error.what


def test_column_when_its_new_name_is_a_word_of_our_sql_then_it_is_read_all_the_same(tmp_path: Path) -> None:
    for name in ("night", "source_row", "held", 'va"lue', "select", "zz_9"):
        error = refusal(tmp_path, renamed("total_order_amount", name.replace('"', '""')))
        assert f"{name} looks like it (type, distribution: KS 0.0" in error.what


def test_moment_when_the_night_is_another_then_the_day_does_not_tell_them_apart(tmp_path: Path) -> None:
    dispatched = "order_ts + INTERVAL 2 DAY AS order_dispatch_ts"
    error = refusal(tmp_path, renamed("order_ts", "ts_order", dispatched))
    assert "ts_order=order_ts" in error.accepting[0]
    assert "order_dispatch_ts has the name, but not the distribution (KS 1.00)" in error.what


def test_night_when_it_has_few_rows_then_chance_is_told_from_a_difference(tmp_path: Path) -> None:
    change = renamed("total_order_amount", "order_total_amount") + " WHERE order_id <= 'O-00200019'"
    error = refusal(tmp_path, change)
    assert "order_total_amount looks like it (name, type, distribution: KS 0." in error.what
    assert "on 20 rows" in error.what


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chance_when_two_samples_are_of_one_distribution_then_it_is_their_mean_distance(seed: int) -> None:
    generator = np.random.default_rng(seed)
    numbers = [ks_distance(generator.normal(size=60), generator.normal(size=90)) for _ in range(200)]
    assert np.mean(numbers) == pytest.approx(ks_by_chance(60, 90), rel=0.15)
    draws = [generator.choice(list("abcd"), p=[0.5, 0.3, 0.15, 0.05], size=150).tolist() for _ in range(400)]
    apart = [total_variation(a[:60], a[60:]) for a in draws]
    expected = [tv_by_chance(a[:60], a[60:]) for a in draws]
    assert np.mean(apart) == pytest.approx(np.mean(expected), rel=0.15)


@given(left=VALUES, right=VALUES)
def test_ks_distance_when_compared_with_scipy_then_they_agree(left: list[int], right: list[int]) -> None:
    ours = ks_distance(np.array(left, dtype=float), np.array(right, dtype=float))
    assert ours == pytest.approx(stats.ks_2samp(left, right, method="asymp").statistic, abs=1e-12)


def test_total_variation_when_worked_by_hand_then_it_is_half_the_difference_of_shares() -> None:
    assert total_variation(["a", "a", "b", "c"], ["a", "b", "b", "d"]) == pytest.approx(0.5)
    assert total_variation(["a"], ["b"]) == 1


@pytest.mark.parametrize(
    ("left", "right", "low", "high"),
    [
        ("total_order_amount", "order_total_amount", 1, 1),
        ("totalOrderAmount", "TOTAL ORDER-AMOUNT", 1, 1),
        ("Customer ID", "Custumer ID", 0.8, 0.99),
        ("total_order_amount", "order_amount", 0.75, 0.9),
        ("channel", "shop", 0, 0.4),
        ("顧客", "注文", 0, 0),
    ],
)
def test_names_when_compared_then_words_count_and_their_order_does_not(
    left: str, right: str, low: float, high: float
) -> None:
    assert low <= name_likeness(left, right) <= high


def test_identifiers_when_none_is_the_same_then_their_form_is_compared() -> None:
    def ids(prefix: str, first: int) -> Sample:
        texts = tuple(f"{prefix}-{number:08d}" for number in range(first, first + 500))
        return Sample("text", 500, 500, texts=texts)

    same, other = distance(ids("O", 0), ids("O", 9_000)), distance(ids("O", 0), ids("C", 0))
    assert same is not None
    assert other is not None
    assert (same.value, other.value) == (0, 1)


def test_moments_when_a_sample_is_thinned_then_gaps_and_ages_stay_alike() -> None:
    generator = np.random.default_rng(7)

    def night(day: int, rows: int) -> Sample:
        seconds = day * 86_400 + generator.uniform(28_800, 72_000, rows)
        return Sample("moment", rows, rows, numbers=seconds, nights=np.full(rows, float(day)))

    apart = distance(night(20_000, 4_000), night(20_031, 1_500))
    assert apart is not None
    assert apart.value < 0.06


def history_of(folder: Path, name: str, change: str = "SELECT * FROM orders") -> Path:
    """A file of many nights, in which orders were a tenth of today's until a year ago."""
    parts = []
    for number, offset in enumerate((0, 7, 400, 500, 600)):
        smaller = f"CAST(total_order_amount * {0.1 if number >= 2 else 1} AS DECIMAL(18,4))"
        night = f"SELECT * REPLACE ({smaller} AS total_order_amount) FROM orders"
        path = folder / f"{name}-{number}.parquet"
        parts.append(str(delivered(path, LAST - timedelta(days=offset), night, seed=10 + number)))
    target = folder / f"{name}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE orders AS SELECT * FROM read_parquet({parts})")
        connection.execute(f"COPY ({change}) TO '{target}'")
    return target


@pytest.mark.parametrize("of_one_night", [True, False], ids=["one_night", "full_extract"])
def test_reference_when_it_is_a_long_history_then_like_is_compared_with_like(
    of_one_night: bool, tmp_path: Path
) -> None:
    """A night with the last nights, a full extract with all of them: the others would match nothing."""
    change = renamed("total_order_amount", "order_total_amount")
    before = ReadableFile(history_of(tmp_path, "before"), "parquet")
    path = tmp_path / "night.parquet"
    new = ReadableFile(
        delivered(path, NIGHT, change, seed=2) if of_one_night else history_of(tmp_path, "extract", change), "parquet"
    )
    with duckdb.connect() as connection:
        as_delivered = DeliveredAs("bulk", "bulk", LAST - timedelta(days=600), LAST)
        shape = shape_of(connection, before, "before")
        select = SOURCE.raw_select("orders", before, shape, as_delivered, file_name="before")
        file = RefusedFile("orders", new, shape_of(connection, new, "new"), NIGHT if of_one_night else None)
        error = ColumnsDiffer(
            "x", expected="x", found="x", file="new", table="orders",
            missing=("total_order_amount",), undeclared=("order_total_amount",),
        )  # fmt: skip
        told = diagnosed(connection, SOURCE, file, error, lambda _: LastGood((select,), LAST))
    assert "order_total_amount looks like it (name, type, distribution: KS 0.0" in told.what
