"""A verdict is about the rows that stand and about today's rules, or it is none."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from checks.gate import Gate, NoVerdicts, Ungated, UpstreamUnverified
from checks.needs import GatePlan
from checks.verdicts import Reading, UpstreamChanged, last_write, reading, stamp, stamp_all, standing
from resources.settings import Settings
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    from tests.gate.conftest import Shop

DAY, NEXT = "2026-01-05", "2026-01-06"
BAD = -1
NOW = datetime(2026, 1, 7, tzinfo=UTC).replace(tzinfo=None)
DIE = 9


def key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["shop", name])


def test_reader_when_its_upstream_was_made_again_without_its_check_then_the_old_verdict_is_void(shop: Shop) -> None:
    assert shop.run("raw", "clean", day=DAY).success
    shop.price("raw", DAY, BAD)
    assert shop.run("raw", day=DAY, checks=False).success
    refused = shop.run("clean", day=DAY)
    assert refused.made == set()
    assert "shop.raw 2026-01-05, whose check completeness has no verdict" in refused.refused
    assert shop.prices("clean") == {DAY: 1}
    assert not shop.run("raw", day=DAY, only_checks=True).success
    assert "consistency failed" in shop.run("clean", day=DAY).refused


def test_reader_when_a_rule_changed_after_the_verdict_then_it_waits_until_the_check_was_asked_again(
    shop: Shop,
) -> None:
    assert shop.run("raw", day=DAY).success
    stricter = shop.rebuilt(raw_minimum=2)
    refused = stricter.run("clean", day=DAY)
    assert "shop.raw 2026-01-05, whose check consistency was judged by other rules than today's" in refused.refused
    assert "athena check --outdated" in refused.refused
    assert not stricter.run("raw", day=DAY, only_checks=True).success
    assert "price is below 2 (1 rows, limit 0)" in stricter.run("clean", day=DAY).refused
    laxer = stricter.rebuilt(raw_minimum=1)
    assert laxer.run("raw", day=DAY, only_checks=True).success
    assert laxer.run("clean", day=DAY).success


def test_reader_when_the_warehouse_is_gone_then_it_is_refused_and_a_root_is_made(shop: Shop) -> None:
    assert shop.run("raw", day=DAY).success
    (shop.home / "warehouse.duckdb").unlink()
    assert "shop.raw 2026-01-05: completeness unwritten" in shop.run("clean", day=DAY).refused
    assert shop.run("raw", "clean", day=DAY).success


def test_reader_when_the_warehouse_is_from_before_the_gate_then_it_is_refused_until_all_is_made_again(
    shop: Shop,
) -> None:
    assert shop.run("raw", "clean", day=DAY).success
    shop.rows("DROP SCHEMA gate CASCADE")
    shop.rows("DROP SCHEMA monitoring CASCADE")
    refused = shop.run("clean", day=DAY)
    assert "shop.raw 2026-01-05: completeness unwritten" in refused.refused
    assert "it would read shop.raw 2026-01-05, which has not been written" in refused.refused
    assert not shop.run("raw", day=DAY, only_checks=True).success
    assert shop.run("raw", "clean", day=DAY).success


def test_reader_when_the_warehouse_cannot_be_read_then_it_is_refused(shop: Shop) -> None:
    assert shop.run("raw", day=DAY).success
    (shop.home / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    refused = shop.run("clean", day=DAY)
    assert refused.made == set()
    assert "the warehouse file cannot be read" in refused.refused


def test_policy_when_there_is_no_home_then_only_what_reads_nothing_may_compute(shop: Shop) -> None:
    gate = Gate(None, lambda: GatePlan(shop.definitions.resolve_asset_graph()))
    assert gate.admit([key("raw")], [DAY], run_id="r", at=NOW).read is None
    assert gate.may_compute([key("raw")], [DAY], NOW)
    assert not gate.may_compute([key("clean")], [DAY], NOW)
    with pytest.raises(NoVerdicts, match="there is no home to read verdicts from"):
        gate.admit([key("clean")], [DAY], run_id="r", at=NOW)


def test_policy_when_a_test_says_ungated_then_everything_may_compute(shop: Shop) -> None:
    assert shop.run("raw", day=DAY, checks=False).success
    open_shop = shop.rebuilt(policy=Ungated())
    assert open_shop.run("clean", day=DAY).success


def test_reader_when_its_upstream_died_between_its_commit_and_its_verdict_then_it_is_refused(
    shop: Shop, repository: Path
) -> None:
    assert shop.run("raw", "clean", day=DAY).success
    shop.price("raw", DAY, BAD)
    (shop.home / "die").touch()
    command = [
        sys.executable,
        "-m",
        "dagster",
        "asset",
        "materialize",
        "-f",
        str(Path(__file__).with_name("served.py")),
    ]
    command += ["--select", 'key:"shop/raw"', "--partition", DAY]
    env = {**os.environ, "ATHENA_HOME": str(shop.home), "PYTHONPATH": str(repository)}
    died = subprocess.run(command, env=env, cwd=repository, capture_output=True, text=True, check=False)
    assert died.returncode == DIE, died.stderr
    (shop.home / "die").unlink()
    assert shop.prices("raw") == {DAY: BAD}
    assert "shop.raw 2026-01-05: completeness missing" in shop.run("clean", day=DAY).refused


def test_reader_when_its_upstreams_write_was_rolled_back_then_the_old_rows_and_their_verdict_stand(shop: Shop) -> None:
    assert shop.run("raw", day=DAY).success
    before = shop.rows("FROM gate.materialisation")
    shop.price("raw", DAY, BAD)
    (shop.home / "roll_back").touch()
    assert not shop.run("raw", day=DAY).success
    (shop.home / "roll_back").unlink()
    assert shop.rows("FROM gate.materialisation") == before
    assert shop.run("clean", day=DAY).success
    assert shop.prices("clean") == {DAY: 1}


def test_write_when_what_was_read_has_been_written_again_since_the_look_then_it_is_refused(shop: Shop) -> None:
    assert shop.run("raw", day=DAY).success
    gate = Gate(Warehouse.of(Settings(home=shop.home)), lambda: GatePlan(shop.definitions.resolve_asset_graph()))
    read = gate.admit([key("clean")], [DAY], run_id="r", at=NOW).read
    assert read == Reading(1, (("shop.raw", DAY, DAY),))
    assert shop.run("raw", day=NEXT).success
    with reading(read):
        assert shop.rebuilt(policy=Ungated()).run("clean", day=DAY).success
    shop.price("raw", DAY, BAD)
    shop.run("raw", day=DAY)
    again = pytest.raises(UpstreamChanged, match=r"shop\.raw 2026-01-05 was written again while it was being read")
    with reading(read), Warehouse.of(Settings(home=shop.home)).write() as connection, again:
        stamp(connection, shop.contract("clean"), DAY, "r")


def test_stamps_when_a_step_writes_several_tables_then_each_has_its_number_and_no_verdict_of_theirs_stands(
    shop: Shop,
) -> None:
    assert shop.run("raw", "clean", day=DAY).success
    assert shop.run("raw", day=NEXT).success
    contracts = [shop.contract("clean"), shop.contract("raw")]
    with Warehouse.of(Settings(home=shop.home)).write() as connection:
        before = last_write(connection)
        assert stamp_all(connection, contracts, DAY, "again") == [before + 1, before + 2]
        assert standing(connection, "shop.clean", DAY) == before + 1
        assert standing(connection, "shop.raw", DAY) == before + 2
    assert shop.rows("SELECT DISTINCT asset, partition FROM gate.verdict") == [("shop.raw", NEXT)]
    assert shop.rows("SELECT count(*) FROM gate.materialisation") == [(3,)]


def test_gate_when_several_checks_are_missing_or_failed_then_what_failed_is_named_first(shop: Shop) -> None:
    assert shop.run("raw", day=DAY, checks=False).success
    shop.price("left", DAY, BAD)
    shop.rebuilt(policy=Ungated()).run("left", day=DAY)
    gate = Gate(Warehouse.of(Settings(home=shop.home)), lambda: GatePlan(shop.definitions.resolve_asset_graph()))
    with pytest.raises(UpstreamUnverified) as refused:
        gate.admit([key("left_report")], [DAY], run_id="r", at=NOW)
    assert [gap.state for gap in refused.value.gaps][:2] == ["failed", "missing"]
    assert refused.value.gaps[0].where == "shop.left 2026-01-05"


def test_reader_when_what_it_reads_was_made_before_its_own_source_was_mended_then_it_waits_for_it(shop: Shop) -> None:
    """A verdict about the mended partition says nothing of the rows that were computed from the bad one."""
    assert shop.run("raw", "clean", day=DAY).success
    stricter = shop.rebuilt(raw_minimum=5)
    assert not stricter.run("raw", day=DAY, only_checks=True).success
    stricter.price("raw", DAY, 7)
    assert stricter.run("raw", day=DAY).success
    refused = stricter.run("report", day=DAY)
    assert refused.made == set()
    assert f"shop.clean {DAY}, which was computed before shop.raw was written again" in refused.refused
    assert stricter.run("clean", "report", day=DAY).success
    assert stricter.prices("report") == {DAY: 7}
