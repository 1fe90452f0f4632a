"""Accepting an alias: recorded with who, when and why, applied to this home alone, and refused where it would lie."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from athena_assets.errors import InvalidArgument
from athena_assets.sources.aliases import (
    AliasRequest,
    accept_alias,
    accept_command,
    aliases_path,
    read_aliases,
    source_of_home,
    with_accepted,
)
from athena_assets.sources.columns import resolve_columns
from athena_assets.sources.errors import AliasesDamaged, AliasRefused, ColumnsDiffer
from athena_assets.sources.source import Source, source_named
from checks.contract_files import load_contract
from tests.conftest import REPOSITORY


def raised(table: str, by: int) -> str:
    """The shipped version with its minor raised."""
    major, minor, patch = load_contract(table).version.split(".")
    return f"{major}.{int(minor) + by}.{patch}"


WHEN = datetime(2026, 11, 2, 6, 47, tzinfo=UTC)
MAPPING = REPOSITORY / "athena_assets/sources/mapped/examples/complete_journey.yaml"


def accept(home: Path, renamed: str, *, table: str = "raw.orders", by: str = "Ada", reason: str = "told by ERP") -> str:
    source = source_named("simulator")
    entry = accept_alias(home, source, AliasRequest.parse(table, renamed), by=by, reason=reason, accepted_at=WHEN)
    return entry.version


def names(source: Source, table: str, column: str) -> tuple[str, ...]:
    return source.mapping.tables[table].columns[column].names


def test_alias_when_accepted_then_the_homes_source_reads_it_in_that_table_and_no_other_home_does(
    tmp_path: Path,
) -> None:
    accept(tmp_path / "one", "client_id=customer_id")
    source = source_of_home(tmp_path / "one", "simulator")
    assert names(source, "orders", "customer_id") == ("customer_id", "client_id")
    assert names(source, "order_lines", "customer_id") == ("customer_id",)
    assert names(source_of_home(tmp_path / "two", "simulator"), "orders", "customer_id") == ("customer_id",)
    assert names(source_named("simulator"), "orders", "customer_id") == ("customer_id",)


def test_record_when_aliases_are_accepted_then_it_says_who_when_why_and_both_versions(tmp_path: Path) -> None:
    accept(tmp_path, "order_total_amount=total_order_amount", by=" Ada ", reason=" ERP 7.2, mail of 1 November ")
    accept(tmp_path, "kunde=customer_id", table="customers")
    accept(tmp_path, "amount=total_order_amount", by="Grace")
    assert [json.loads(line) for line in aliases_path(tmp_path).read_text().splitlines()] == [
        {
            "accepted_at": "2026-11-02T06:47:00Z",
            "table": "raw.orders",
            "declared": "total_order_amount",
            "alias": "order_total_amount",
            "by": "Ada",
            "reason": "ERP 7.2, mail of 1 November",
            "version_before": raised("raw.orders", 0),
            "version": raised("raw.orders", 1),
        },
        {
            "accepted_at": "2026-11-02T06:47:00Z",
            "table": "raw.customers",
            "declared": "customer_id",
            "alias": "kunde",
            "by": "Ada",
            "reason": "told by ERP",
            "version_before": raised("raw.customers", 0),
            "version": raised("raw.customers", 1),
        },
        {
            "accepted_at": "2026-11-02T06:47:00Z",
            "table": "raw.orders",
            "declared": "total_order_amount",
            "alias": "amount",
            "by": "Grace",
            "reason": "told by ERP",
            "version_before": raised("raw.orders", 1),
            "version": raised("raw.orders", 2),
        },
    ]


@pytest.mark.parametrize(
    ("table", "renamed", "says"),
    [
        ("raw.invoices", "a=b", "simulator delivers no table raw.invoices"),
        ("raw.orders", "order_total=total", "simulator declares no column 'total' in raw.orders"),
        ("raw.orders", "country=channel", "'country' is already a declared name in raw.orders"),
        ("raw.orders", "channel=channel", "'channel' is already a declared name in raw.orders"),
    ],
)
def test_alias_when_it_would_lie_then_it_is_refused_and_nothing_is_written(
    tmp_path: Path, table: str, renamed: str, says: str
) -> None:
    with pytest.raises(AliasRefused, match=says):
        accept(tmp_path, renamed, table=table)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("renamed", ["order_total_amount", "=total_order_amount", "order_total_amount=", " = "])
def test_alias_when_it_is_no_pair_of_names_then_the_form_is_shown(tmp_path: Path, renamed: str) -> None:
    with pytest.raises(InvalidArgument, match="NEW_NAME=DECLARED_NAME"):
        accept(tmp_path, renamed)


@pytest.mark.parametrize(("by", "reason"), [(" ", "a reason"), ("Ada", "")])
def test_alias_when_nobody_or_no_reason_stands_behind_it_then_it_is_refused(
    tmp_path: Path, by: str, reason: str
) -> None:
    with pytest.raises(AliasRefused, match="is a contract change"):
        accept(tmp_path, "order_total_amount=total_order_amount", by=by, reason=reason)
    assert read_aliases(tmp_path) == ()


def test_alias_when_accepted_twice_at_once_then_one_of_the_two_is_refused(tmp_path: Path) -> None:
    def attempt(_: int) -> str:
        try:
            return accept(tmp_path, "order_total_amount=total_order_amount")
        except AliasRefused:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [raised("raw.orders", 1), *["refused"] * 3]
    assert len(read_aliases(tmp_path)) == 1


def test_alias_when_its_name_is_ignored_by_the_mapping_then_it_is_refused(tmp_path: Path) -> None:
    source = source_of_home(tmp_path, "complete_journey", MAPPING)
    mapping = source.mapping.tables["order_lines"]
    declared = mapping.columns["order_id"].names[0]
    request = AliasRequest("raw.order_lines", declared, mapping.ignore[0])
    with pytest.raises(AliasRefused, match="known and not used"):
        accept_alias(tmp_path, source, request, by="Ada", reason="x", accepted_at=WHEN)


def test_file_when_both_names_are_in_it_then_it_is_refused(tmp_path: Path) -> None:
    accept(tmp_path, "order_total_amount=total_order_amount")
    mapping = source_of_home(tmp_path, "simulator").mapping.tables["orders"]
    header = [*(spec.names[0] for spec in mapping.columns.values()), "order_total_amount"]
    with pytest.raises(ColumnsDiffer, match="both names of one column 'total_order_amount and order_total_amount'"):
        resolve_columns(mapping, header, file="orders.csv", table="orders", declared_in="m")
    assert resolve_columns(mapping, header[:-1], file="orders.csv", table="orders", declared_in="m")


def test_mapping_when_it_says_an_accepted_name_itself_then_it_still_holds(tmp_path: Path) -> None:
    source = source_of_home(tmp_path, "complete_journey", MAPPING)
    declared = source.mapping.tables["order_lines"].columns["order_id"].names[0]
    request = AliasRequest("raw.order_lines", declared, "renamed")
    accept_alias(tmp_path, source, request, by="Ada", reason="x", accepted_at=WHEN)
    later = source.with_aliases({"renamed": declared})
    assert names(with_accepted(later, read_aliases(tmp_path)), "order_lines", "order_id") == (declared, "renamed")
    rewritten = tmp_path / "complete_journey.yaml"
    rewritten.write_text(MAPPING.read_text().replace(declared, "renamed"))
    assert names(source_of_home(tmp_path, "complete_journey", rewritten), "order_lines", "order_id") == ("renamed",)


def test_record_when_a_line_is_damaged_then_the_error_names_file_and_line(tmp_path: Path) -> None:
    accept(tmp_path, "order_total_amount=total_order_amount")
    with aliases_path(tmp_path).open("a") as file:
        file.write('{"table": "raw.or\n')
    with pytest.raises(AliasesDamaged, match=r"aliases\.jsonl: line 2"):
        source_of_home(tmp_path, "simulator")


def test_command_when_a_name_holds_blanks_or_an_equals_sign_then_the_shell_gives_it_back(tmp_path: Path) -> None:
    assert accept_command("raw.orders", "a", "b").startswith("athena contracts accept-alias raw.orders b=a --by ")
    assert "'Customer Id=Customer ID'" in accept_command("raw.order_lines", "Customer ID", "Customer Id")
    assert AliasRequest.parse("orders", "a=b=c") == AliasRequest("raw.orders", "c", "a=b")
