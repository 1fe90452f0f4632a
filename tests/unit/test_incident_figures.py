"""The replay's figures are counted as a person would count them, and a replay that shows nothing is refused."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from athena_assets.impact import Impact
from athena_assets.incidents.figures import FeatureRates, NaiveFigures, measure
from athena_assets.incidents.naive import NaiveNight
from athena_assets.incidents.post_mortem import post_mortem
from athena_assets.incidents.record import (
    Alert,
    Incident,
    Published,
    Recovery,
    Refusal,
    Registered,
    ReplayContradicted,
    as_document,
    refuse_contradiction,
)
from athena_assets.incidents.side_by_side import side_by_side
from athena_assets.nights import Night
from athena_assets.sources.aliases import AcceptedAlias

GOOD, RENAMED = date(2026, 10, 31), date(2026, 11, 1)


def night(day: date, matrix: list[list[float]], probability: list[float], tiers: list[str]) -> NaiveNight:
    return NaiveNight(
        night=Night(day),
        missing=("orders.total_order_amount",) if day == RENAMED else (),
        customers=tuple(f"C-{number}" for number in range(len(probability))),
        features=("spend", "average", "orders"),
        matrix=np.array(matrix, dtype=np.float32),
        probability=np.array(probability),
        tier=tuple(tiers),
        value_at_risk=tuple(Decimal("1.50") for _ in probability),
        published=Path("part.parquet"),
    )


def test_figures_when_a_column_went_missing_then_nulls_and_silent_zeros_are_told_apart() -> None:
    nan = math.nan
    before = night(GOOD, [[10, 5, 2], [0, nan, 0], [8, 8, 1], [9, 9, 1]], [0.1, 0.6, 0.2, 0.3], ["low"] * 4)
    after = night(
        RENAMED,
        [[0, nan, 2], [0, nan, 0], [0, nan, 1], [0, nan, 1]],
        [0.5, 0.6, 0.9, 0.3],
        ["low", "low", "high", "low"],
    )
    figures = measure(before, after, ["spend", "average"], "high")
    assert [each.name for each in figures.turned_null] == ["average"]
    assert [each.name for each in figures.turned_zero] == ["spend"]
    assert (figures.null_rate_before, figures.null_rate_after) == (0.25, 1.0)
    assert (figures.positive_rate_before, figures.positive_rate_after) == (0.25, 0.75)
    assert figures.positive_points == 50.0
    assert (figures.high_before, figures.high_after) == (0, 1)
    assert figures.value_at_risk_after == Decimal("6.00")


def test_feature_when_it_turned_null_for_some_and_zero_for_others_then_its_nulls_show_it() -> None:
    both = FeatureRates("average", null_before=0.0, null_after=0.5, zero_before=0.0, zero_after=0.5)
    assert (both.turned_null, both.turned_zero) == (True, False)


def test_psi_when_counted_by_hand_then_the_same() -> None:
    expected = [number / 100 for number in range(100)]
    actual = [0.05] * 30 + [0.15 + tenth / 10 for tenth in range(7) for _ in range(10)]
    before, after = (
        night(day, [[0, 0, 0]] * 100, each, ["low"] * 100) for day, each in ((GOOD, expected), (RENAMED, actual))
    )
    edges = [0.09, 0.19, 0.29, 0.39, 0.49, 0.59, 0.69, 0.79, 0.89]
    shares = []
    for values in (expected, actual):
        counts = [0.0] * 10
        for value in values:
            counts[sum(value > edge for edge in edges)] += 1
        # An empty bin counts as half a customer; of nulls, which a probability never is, there are none on either side.
        filled = [max(count, 0.5) for count in [*counts, 0]]
        shares.append([count / sum(filled) for count in filled])
    by_hand = sum((q - p) * math.log(q / p) for p, q in zip(*shares, strict=True))
    assert measure(before, after, [], "high").psi == pytest.approx(by_hand)
    assert measure(before, before, [], "high").psi == 0.0


BEFORE = Published(GOOD, datetime(2026, 11, 1), 4, 0.25, 1, Decimal("10.00"), "aa")
INCIDENT = Incident(
    customers=4,
    champion="churn version 1",
    good_nights=(GOOD,),
    identical=4,
    naive=NaiveFigures(
        customers=4,
        missing=("orders.total_order_amount",),
        features=(FeatureRates("average", 0.25, 1.0, 0.0, 0.0), FeatureRates("spend", 0.0, 0.0, 0.25, 1.0)),
        positive_rate_before=0.25,
        positive_rate_after=0.75,
        high_before=1,
        high_after=3,
        psi=0.7,
        value_at_risk_before=Decimal("10.00"),
        value_at_risk_after=Decimal("0.00"),
    ),
    before=BEFORE,
    refusal=Refusal(
        night=RENAMED,
        folder=Path("deliveries/2026-11-01"),
        arrived_at=datetime(2026, 11, 2, 0, 30),
        seconds=0.125,
        error="ColumnsDiffer",
        text="orders.parquet: total_order_amount is missing",
        mend="athena contracts accept-alias ... && athena load ...",
        why="raw.orders is refused\nnext athena contracts accept-alias ... && athena load ...",
        night_said="the night 2026-11-01 has not been delivered",
        recorded_at=datetime(2026, 11, 24, tzinfo=UTC),
        alerts=(Alert("night 2026-11-01: raw.orders", "athena why", datetime(2026, 11, 24, tzinfo=UTC)),),
    ),
    during=BEFORE,
    nights_during=(GOOD,),
    downstream=Impact("raw.orders", ("total_order_amount",), (), (), (), ("predictions.churn",)),
    recovery=Recovery(
        commands=("athena contracts accept-alias ...", "athena load ..."),
        alias=AcceptedAlias(
            accepted_at=datetime(2026, 11, 24, tzinfo=UTC),
            table="raw.orders",
            declared="total_order_amount",
            alias="order_total_amount",
            by="the engineer on call",
            reason="renamed by a release",
            version_before="1.0.0",
            version="1.1.0",
        ),
        seconds=6.0,
        rules_evaluated=100,
        rules_failed=0,
        earlier_rows_changed=0,
        open_findings=0,
        published=Published(RENAMED, datetime(2026, 11, 2), 4, 0.25, 1, Decimal("11.00"), "bb"),
    ),
    deliveries=(
        Registered("shop-1", GOOD, GOOD, datetime(2026, 11, 1, 0, 30), 90, 9),
        Registered("shop-2", RENAMED, RENAMED, datetime(2026, 11, 2, 0, 30), 99, 9),
    ),
    seconds=60.0,
)


def changed(part: str, **values: object) -> Incident:
    return replace(INCIDENT, **{part: replace(getattr(INCIDENT, part), **values)})


@pytest.mark.parametrize(
    ("incident", "claim"),
    [
        pytest.param(replace(INCIDENT, identical=3), "4 predictions of the last good night", id="unfair comparison"),
        pytest.param(
            changed("naive", features=(FeatureRates("average", 0.0, 0.05, 0.0, 0.0),)), "null rate above 5", id="nulls"
        ),
        pytest.param(changed("naive", positive_rate_after=0.35), "more than 10 points", id="positives"),
        pytest.param(replace(INCIDENT, nights_during=(GOOD, RENAMED)), "nothing published by Athena", id="published"),
        pytest.param(changed("during", sha256="cc"), "nothing published by Athena", id="latest touched"),
        pytest.param(changed("recovery", rules_failed=1), "clean and published", id="not clean"),
        pytest.param(changed("recovery", open_findings=1), "clean and published", id="still open"),
        pytest.param(changed("recovery", rules_evaluated=0), "clean and published", id="nothing checked"),
        pytest.param(changed("refusal", alerts=()), "one alert", id="no alert"),
        pytest.param(changed("refusal", why="athena night"), "that mend it", id="another command"),
    ],
)
def test_replay_when_a_claim_does_not_hold_then_it_fails_and_names_the_claim(incident: Incident, claim: str) -> None:
    refuse_contradiction(INCIDENT)
    with pytest.raises(ReplayContradicted) as failure:
        refuse_contradiction(incident)
    assert claim in str(failure.value.expected)


def test_drop_of_positives_when_as_large_as_a_rise_then_it_counts_as_well() -> None:
    refuse_contradiction(changed("naive", positive_rate_before=0.75, positive_rate_after=0.25))


def test_post_mortem_when_drafted_then_it_has_its_parts_and_the_records_figures() -> None:
    text = post_mortem(INCIDENT)
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["What happened", "When", "Detection", "Impact", "Cause", "Prevention", "Not in any record"]
    for said in ("25.0 %", "100.0 %", "+50.0 points", "`shop-2`", "30 h 47 min", "0.12 s", "100 rules evaluated"):
        assert said in text, said
    # At 06:47 on the day after, a fresh night would have been as old as the morning.
    assert "6 h 47 min" in text


def test_table_when_printed_then_only_the_books_column_holds_the_books_figures() -> None:
    rows = side_by_side(INCIDENT)
    assert all(len(row) == 4 for row in rows)
    measured = " ".join(cell for row in rows for cell in row[2:])
    assert not any(figure in measured for figure in ("94.2", "14 %", "62 %"))
    document = as_document(INCIDENT)
    assert document["book"]["null_rate"] == 0.942
    assert document["measured"]["naive"]["turned_zero"] == ["spend"]
