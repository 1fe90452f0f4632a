"""What every text of SQL needs."""

import duckdb
import pytest

from athena_assets.sql import columns_of, forget, has_table, parameters_used, remember, seen, words


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("CREATE SCHEMA shop; CREATE TABLE shop.sales (b VARCHAR, a DECIMAL(18,4))")
    made.execute("CREATE VIEW shop.all_sales AS FROM shop.sales; ATTACH ':memory:' AS other")
    made.execute("CREATE SCHEMA other.shop; CREATE TABLE other.shop.elsewhere (a INTEGER)")
    return made


def test_parameters_when_a_name_begins_like_another_then_only_those_that_stand_there_are_used() -> None:
    values = {"as": 1, "as_of": 2, "night": 3}
    assert parameters_used("SELECT $as_of, $night", values) == {"as_of": 2, "night": 3}


def test_words_when_a_comment_names_others_then_only_those_of_the_text_count() -> None:
    texts = ("/* copies\n of lines */ Copy > 1 -- twice", "line_copies.copy IN ('x_1')")
    assert words(*texts) == {"copy", "1", "line_copies", "in", "x_1"}


@pytest.mark.parametrize(
    ("address", "is_there"), [("shop.sales", True), ("shop.all_sales", True), ("shop.elsewhere", False), ("x.y", False)]
)
def test_table_when_asked_for_then_it_is_one_of_this_database(
    connection: duckdb.DuckDBPyConnection, address: str, is_there: bool
) -> None:
    assert has_table(connection, address) is is_there


def test_columns_when_asked_for_then_they_come_in_order_with_their_types(connection: duckdb.DuckDBPyConnection) -> None:
    assert list(columns_of(connection, "shop.sales").items()) == [("b", "VARCHAR"), ("a", "DECIMAL(18,4)")]
    assert list(columns_of(connection, "shop.all_sales").items()) == [("b", "VARCHAR"), ("a", "DECIMAL(18,4)")]
    assert columns_of(connection, "shop.elsewhere") == {}


def test_columns_when_the_table_is_not_there_then_the_transaction_goes_on(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.begin()
    connection.execute("ALTER TABLE shop.sales ADD COLUMN c DATE")
    assert columns_of(connection, "shop.elsewhere") == {}
    assert [*columns_of(connection, "shop.sales")] == ["b", "a", "c"]


def test_table_when_the_connection_is_remembered_then_it_is_looked_for_until_it_is_there_and_then_known(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    remember(connection)
    assert not has_table(connection, "shop.returns")
    connection.execute("CREATE TABLE shop.returns (a INTEGER)")
    assert has_table(connection, "shop.returns")
    assert {"shop.sales", "shop.all_sales", "shop.returns"} <= seen(connection)
    assert "shop.elsewhere" not in seen(connection)


def test_table_when_its_making_was_rolled_back_and_forgotten_then_it_is_not_there(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    remember(connection)
    connection.begin()
    connection.execute("CREATE TABLE shop.returns (a INTEGER)")
    assert has_table(connection, "shop.returns")
    connection.rollback()
    forget(connection)
    assert not has_table(connection, "shop.returns")


def test_table_when_the_connection_is_not_remembered_then_it_is_looked_for_each_time(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert has_table(connection, "shop.sales")
    connection.execute("DROP TABLE shop.sales CASCADE")
    assert not has_table(connection, "shop.sales")
