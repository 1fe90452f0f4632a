"""What a step that ends badly leaves behind, so that somebody is told; and what a good end takes away again."""

from pathlib import Path

import dagster as dg
import pytest

from athena_assets.errors import AthenaError
from resources.findings import Findings
from resources.steps import step

NIGHTS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-03")
NIGHT = "2026-01-01"


class NoSuchPrice(AthenaError):
    """A named error."""


def run(home: Path, error: Exception | None, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setenv("ATHENA_HOME", str(home))

    @dg.multi_asset(specs=[dg.AssetSpec(dg.AssetKey(["shop", "sale"]), partitions_def=NIGHTS)])
    @step
    def sale(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        if error is not None:
            raise error
        return dg.MaterializeResult(asset_key=dg.AssetKey(["shop", "sale"]))

    return dg.materialize([sale], partition_key=NIGHT, raise_on_error=False).success


@pytest.mark.parametrize(
    ("error", "rule", "summary"),
    [
        (NoSuchPrice("there is no price for X", next_command="athena run"), "NoSuchPrice", "there is no price for X"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError", "ZeroDivisionError: division by zero"),
    ],
    ids=["named_error", "defect"],
)
def test_step_when_it_ends_with_an_error_then_it_is_found_until_the_step_succeeds(
    error: Exception, rule: str, summary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not run(tmp_path, error, monkeypatch)
    (found,) = Findings(tmp_path).open()
    assert (found.finding.asset, found.finding.partition, found.finding.rule) == ("shop.sale", NIGHT, rule)
    assert found.finding.summary == summary
    assert run(tmp_path, None, monkeypatch)
    assert Findings(tmp_path).open() == []


def test_check_when_another_check_step_of_its_table_succeeds_after_it_then_its_error_stays_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATHENA_HOME", str(tmp_path))
    broken = [NoSuchPrice("there is no price for X")]
    key = dg.AssetKey(["shop", "sale"])

    @dg.asset(key=key)
    def sale() -> None:
        """A table with two check steps."""

    @dg.asset_check(asset=key, blocking=True)
    @step
    def first(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        for error in broken:
            raise error
        return dg.AssetCheckResult(passed=True)

    @dg.asset_check(asset=key)
    @step
    def second(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    def checked(check: dg.AssetChecksDefinition) -> bool:
        return dg.materialize([sale, check], raise_on_error=False).success

    assert not checked(first)
    assert checked(second)
    (found,) = Findings(tmp_path).open()
    assert (found.finding.asset, found.finding.rule) == ("shop.sale", "NoSuchPrice")
    broken.clear()
    assert checked(first)
    assert Findings(tmp_path).open() == []
