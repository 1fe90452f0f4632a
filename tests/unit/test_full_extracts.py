"""Full extracts: a nightly delivery that holds everything known so far lands the night's own rows, and no other."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from athena_assets.nights import Night
from athena_assets.orders.delivered import discrepancies
from athena_assets.orders.preview import preview
from athena_assets.sources.corrections import Corrections, corrections
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.errors import AlreadyDelivered
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import Source, mapped_source

NOW = datetime(2026, 11, 10, 0, 30)
SECOND = Night(date(2026, 11, 3))
COLUMNS = ("order_id", "order_ts", "product_id", "quantity", "unit_price", "is_return")
LINES = (
    "1,2026-11-01 10:00,A,1,2.00,false,2026-11-02 00:30",
    "2,2026-11-02 10:00,A,1,3.00,false,2026-11-03 00:30",
    # Placed on the first night, known on the second: only the order system's own word tells.
    "3,2026-11-01 23:59,A,1,5.00,false,2026-11-04 00:30",
    "4,2026-11-03 10:00,A,1,7.00,false,2026-11-04 00:30",
)


def shop(tmp_path: Path, *, extract: str = "full", reports_known_at: bool = True) -> Source:
    columns = [*COLUMNS, "known_at"] if reports_known_at else COLUMNS
    mapping = {
        "name": "extracting_shop",
        "description": "an order system that delivers everything every night",
        "currency": "EUR",
        "timezone": "Europe/Berlin",
        "reports_known_at": reports_known_at,
        "tables": {
            "order_lines": {
                "extract": extract,
                "columns": {name: {"from": name} for name in columns},
                "ignore": [] if reports_known_at else ["known_at"],
            }
        },
    }
    path = tmp_path / "extracting_shop.yaml"
    path.write_text(yaml.safe_dump(mapping), encoding="utf-8")
    return mapped_source(path)


def lines(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([",".join([*COLUMNS, "known_at"]), *rows]) + "\n", encoding="utf-8")
    return path


def nightly(landing: Landing, source: Source, path: Path, night: Night) -> Delivery:
    return landing.register(source, [path], kind="nightly", registered_at=NOW, last_night=night)


def landed(landing: Landing, source: Source, delivery: Delivery) -> list[tuple[str, date]]:
    with duckdb.connect() as connection:
        (select,) = landing.raw_selects(connection, source, delivery, "order_lines")
        return connection.execute(
            f"SELECT order_id, night FROM ({select.sql}) ORDER BY order_id", select.parameters
        ).fetchall()


def test_row_of_a_full_extract_when_it_says_when_it_was_known_then_it_is_of_that_night(tmp_path: Path) -> None:
    source, landing = shop(tmp_path), Landing.of(tmp_path / "home")
    delivery = nightly(landing, source, lines(tmp_path / "all.csv", *LINES), SECOND)
    nights = [(number, night.day) for number, night in landed(landing, source, delivery)]
    assert nights == [("1", 1), ("2", 2), ("3", 3), ("4", 3)]


def test_row_of_a_full_extract_when_the_source_does_not_say_then_it_is_of_the_night_of_its_event(
    tmp_path: Path,
) -> None:
    source, landing = shop(tmp_path, reports_known_at=False), Landing.of(tmp_path / "home")
    delivery = nightly(landing, source, lines(tmp_path / "all.csv", *LINES), SECOND)
    nights = [(number, night.day) for number, night in landed(landing, source, delivery)]
    assert nights == [("1", 1), ("2", 2), ("3", 1), ("4", 3)]


def test_row_of_an_increment_when_it_was_known_earlier_then_it_is_still_of_its_delivery(tmp_path: Path) -> None:
    source, landing = shop(tmp_path, extract="incremental"), Landing.of(tmp_path / "home")
    delivery = nightly(landing, source, lines(tmp_path / "all.csv", *LINES), SECOND)
    assert {night for _, night in landed(landing, source, delivery)} == {SECOND.day}
    assert delivery.files[0].rows_of_night is None


def test_manifest_of_a_full_extract_when_registered_then_it_tells_the_night_from_the_whole(tmp_path: Path) -> None:
    source, landing = shop(tmp_path), Landing.of(tmp_path / "home")
    (file,) = nightly(landing, source, lines(tmp_path / "all.csv", *LINES), SECOND).files
    assert (file.rows, file.amount) == (4, Decimal("17.0000"))
    assert (file.rows_to_land, file.amount_to_land) == (2, Decimal("12.0000"))
    assert landing.deliveries()[0].files == (file,)


def test_account_of_a_full_extract_when_the_night_landed_its_own_rows_then_it_reconciles(tmp_path: Path) -> None:
    source, landing = shop(tmp_path), Landing.of(tmp_path / "home")
    delivery = nightly(landing, source, lines(tmp_path / "all.csv", *LINES), SECOND)
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA orders")
        connection.execute(
            "CREATE TABLE orders.all_accounting AS SELECT $id AS delivery_id, 'order_lines' AS table_name,"
            " 2 AS rows_in, CAST(12 AS DECIMAL(18,4)) AS amount_in",
            {"id": delivery.delivery_id},
        )
        assert discrepancies(connection, [delivery]) == []
        connection.execute("UPDATE orders.all_accounting SET rows_in = 4, amount_in = 17")
        (found,) = discrepancies(connection, [delivery])
    assert (found.rows_delivered, found.amount_delivered) == (2, Decimal("12.0000"))


def test_full_extract_when_nothing_happened_then_the_same_bytes_are_a_night_of_their_own(tmp_path: Path) -> None:
    source, landing = shop(tmp_path), Landing.of(tmp_path / "home")
    first, again = lines(tmp_path / "2026-11-03.csv", *LINES), lines(tmp_path / "2026-11-04.csv", *LINES)
    nightly(landing, source, first, SECOND)
    quiet = nightly(landing, source, again, SECOND.plus(1))
    assert (quiet.files[0].rows, quiet.files[0].rows_to_land) == (4, 0)
    with pytest.raises(AlreadyDelivered):
        nightly(landing, source, again, SECOND.plus(1))


def test_increment_when_the_same_bytes_come_for_another_night_then_they_are_refused(tmp_path: Path) -> None:
    source, landing = shop(tmp_path, extract="incremental"), Landing.of(tmp_path / "home")
    first, again = lines(tmp_path / "2026-11-03.csv", *LINES), lines(tmp_path / "2026-11-04.csv", *LINES)
    nightly(landing, source, first, SECOND)
    with pytest.raises(AlreadyDelivered):
        nightly(landing, source, again, SECOND.plus(1))


def test_preview_of_a_full_extract_when_checked_then_it_counts_what_the_night_would_land(tmp_path: Path) -> None:
    source = shop(tmp_path)
    found = preview(source, [lines(tmp_path / "all.csv", *LINES)], kind="nightly", registered_at=NOW, last_night=SECOND)
    assert (found.rows_in, found.rows_kept, found.amount_in) == (2, 2, Decimal("12.0000"))


def told(tmp_path: Path, *rows: str) -> Corrections:
    """What an extract of the second night with these rows corrects, the first four rows having been landed."""
    source, landing = shop(tmp_path), Landing.of(tmp_path / "home")
    before = nightly(landing, source, lines(tmp_path / "before.csv", *LINES), SECOND)
    after = nightly(landing, source, lines(tmp_path / "after.csv", *rows), SECOND.plus(1))
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA raw")
        (select,) = landing.raw_selects(connection, source, before, "order_lines")
        for name, condition in (("order_lines_history", "<="), ("order_lines", ">")):
            connection.execute(
                f"CREATE TABLE raw.{name} AS SELECT * FROM ({select.sql}) WHERE night {condition} DATE '2026-11-02'",
                select.parameters,
            )
        selects = landing.raw_selects(connection, source, after, "order_lines")
        return corrections(connection, "order_lines", selects, SECOND.plus(1))


NEW = "5,2026-11-04 10:00,A,1,9.00,false,2026-11-05 00:30"


def test_extract_when_it_repeats_the_past_then_it_corrects_nothing(tmp_path: Path) -> None:
    assert not told(tmp_path, *LINES, NEW).any


def test_extract_when_a_past_price_has_changed_then_it_counts_on_both_sides(tmp_path: Path) -> None:
    changed = LINES[0].replace("2.00", "2.50")
    assert told(tmp_path, changed, *LINES[1:], NEW) == Corrections(not_landed=1, no_longer_told=1)


def test_extract_when_it_has_lost_a_past_row_and_tells_another_twice_then_each_is_counted(tmp_path: Path) -> None:
    assert told(tmp_path, LINES[1], *LINES[1:], NEW) == Corrections(not_landed=1, no_longer_told=1)
    # A row that only now says it was known on an earlier night came too late to be landed there.
    late = "6,2026-11-02 10:00,A,1,1.00,false,2026-11-03 00:30"
    (tmp_path / "late").mkdir()
    assert told(tmp_path / "late", *LINES, late, NEW) == Corrections(not_landed=1, no_longer_told=0)
