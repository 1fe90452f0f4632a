"""One alert for each night and root cause: what is a root, what is a consequence, and what is swallowed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from athena_assets.monitoring.grouping import Group, group_findings
from resources.findings import Finding, RecordedFinding

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
NIGHT, NEXT = "2026-10-29", "2026-10-30"
PATH = ["raw.order_lines", "orders.order_lines", "features.customer_features", "predictions.churn", "cost.tco"]


def downstream_of(asset: str) -> set[str]:
    if asset == "raw.customers":
        return {"orders.customers", *PATH[2:]}
    if asset == "orders.order_lines":
        return {*PATH[2:], "churn.training_set"}
    return set(PATH[PATH.index(asset) + 1 :]) if asset in PATH else set()


def failed(asset: str, partition: str = NIGHT, *, severity: str = "ERROR", check: str = "completeness") -> Finding:
    return Finding("check", severity, asset, partition, check, "x.required", "x is null: 3 rows, limit 0")  # type: ignore[arg-type]


def refused(asset: str, partition: str, because: str) -> Finding:
    return Finding("error", "ERROR", asset, partition, "error", "UpstreamUnverified", f"{asset} waits", details=because)


def recorded(*findings: Finding, alert_key: str | None = None) -> list[RecordedFinding]:
    return [RecordedFinding(number, each, AT, AT, 1, None, alert_key) for number, each in enumerate(findings, 1)]


def grouped(findings: Sequence[RecordedFinding]) -> list[Group]:
    return group_findings(findings, downstream_of=downstream_of, is_monthly=lambda asset: asset.startswith("churn."))


def assets(findings: Sequence[RecordedFinding]) -> list[str]:
    return [each.finding.asset for each in findings]


def test_findings_when_of_two_nights_then_each_night_has_its_alert() -> None:
    groups = grouped(recorded(failed(PATH[0]), failed(PATH[0], NEXT), failed(PATH[0], check="keys")))
    assert {group.key: len(group.roots) for group in groups} == {f"night {NIGHT}": 2, f"night {NEXT}": 1}


def test_findings_when_downstream_of_another_of_the_night_then_they_are_consequences() -> None:
    (group,) = grouped(recorded(failed(PATH[3]), failed(PATH[0]), failed(PATH[2]), failed("raw.products")))
    assert assets(group.roots) == [PATH[0], "raw.products"]
    assert assets(group.consequences) == [PATH[3], PATH[2]]


def test_findings_when_downstream_of_another_night_then_they_are_roots() -> None:
    groups = grouped(recorded(failed(PATH[0]), failed(PATH[2], NEXT)))
    assert [assets(group.roots) for group in groups] == [[PATH[0]], [PATH[2]]]


def test_warnings_when_the_night_has_an_error_then_they_are_beside_it_and_never_its_cause() -> None:
    (group,) = grouped(recorded(failed(PATH[0], severity="WARN"), failed(PATH[2]), failed("raw.products")))
    assert (group.severity, assets(group.warnings)) == ("ERROR", [PATH[0]])
    assert assets(group.roots) == [PATH[2], "raw.products"]


def test_warnings_when_the_night_has_nothing_else_then_they_are_one_warning() -> None:
    (group,) = grouped(recorded(*(failed(asset, severity="WARN") for asset in ("raw.products", PATH[0], PATH[2]))))
    assert (group.severity, assets(group.roots)) == ("WARN", ["raw.products", PATH[0]])
    assert assets(group.consequences) == [PATH[2]]


def test_refusal_when_a_month_names_the_night_then_it_is_a_consequence_of_the_night() -> None:
    refusal = refused("churn.training_set", "2026-10-01", f"{PATH[1]} {NIGHT}: completeness failed")
    (group,) = grouped(recorded(refusal, failed(PATH[1])))
    assert (group.key, assets(group.roots), assets(group.consequences)) == (
        f"night {NIGHT}",
        [PATH[1]],
        ["churn.training_set"],
    )


@pytest.mark.parametrize(
    "because", ["nothing that is open", f"orders.order_lines_history {NIGHT}", f"orders.order_lines {NEXT}"]
)
def test_refusal_when_it_names_no_open_finding_then_it_is_its_own_alert(because: str) -> None:
    groups = grouped(recorded(failed(PATH[1]), refused("churn.training_set", "2026-10-01", because)))
    assert [(group.key, assets(group.roots)) for group in groups] == [
        (f"night {NIGHT}", [PATH[1]]),
        ("month 2026-10", ["churn.training_set"]),
    ]


def test_refusal_when_its_cause_is_a_consequence_then_it_goes_to_the_root_of_both() -> None:
    later = refused(PATH[2], NEXT, f"{PATH[2]} {NIGHT}: completeness failed")
    (group,) = grouped(recorded(failed(PATH[0]), failed(PATH[2]), later))
    assert (group.key, assets(group.roots)) == (f"night {NIGHT}", [PATH[0]])


def test_refusals_when_they_name_each_other_then_none_is_lost() -> None:
    groups = grouped(recorded(refused("a.a", NIGHT, f"b.b {NEXT}"), refused("b.b", NEXT, f"a.a {NIGHT}")))
    assert sorted(assets([root for group in groups for root in group.roots])) == ["a.a", "b.b"]


def test_month_when_its_key_looks_like_a_night_then_they_are_two_alerts() -> None:
    groups = grouped(recorded(failed(PATH[0], "2026-10-01"), failed("churn.evaluation", "2026-10-01")))
    assert [group.key for group in groups] == ["night 2026-10-01", "month 2026-10"]


def test_unpartitioned_when_of_one_room_then_together_and_commands_by_themselves() -> None:
    history = [failed("raw.order_lines_history", ""), failed("raw.customers_history", ""), failed("cost.tco", "")]
    command = replace(failed("athena train", ""), kind="error", check="athena train", rule="NoChampion")
    assert [group.key for group in grouped(recorded(*history, command))] == ["raw", "cost", "athena train"]


def test_finding_when_its_cause_is_cleared_before_it_then_it_stays_with_its_alert() -> None:
    left = recorded(refused("churn.training_set", "2026-10-01", f"{PATH[1]} {NIGHT}"), alert_key=f"night {NIGHT}")
    (group,) = grouped(left)
    assert (group.key, assets(group.roots)) == (f"night {NIGHT}", ["churn.training_set"])


def test_refusal_when_its_cause_is_seen_after_it_then_both_alerts_have_a_root() -> None:
    refusal = refused("churn.training_set", "2026-10-01", f"{PATH[1]} {NIGHT}: completeness missing")
    told, new = recorded(refusal, failed(PATH[1]))
    groups = grouped([replace(told, alert_key="month 2026-10"), new])
    assert [(group.key, assets(group.roots)) for group in groups] == [
        ("month 2026-10", ["churn.training_set"]),
        (f"night {NIGHT}", [PATH[1]]),
    ]
