"""The page's charts are what Plotly itself would make of them."""

import json
from decimal import Decimal

import plotly.graph_objects as go
import pytest

from cost import charts

NAMED = {"plain": Decimal("3.5"), "</script> & 'é'": Decimal("0.000000000001")}
CHARTS = {
    "stacked": charts.stacked_bars(
        ["a", "<b>"], {"compute": [*NAMED.values()], "new": [Decimal(2)] * 2}, currency="USD"
    ),
    "by day": charts.stacked_bars(["2026-11-01"], {"talent": [Decimal(0)]}, currency="GBP", by_day=True),
    "ranked": charts.ranked_bars(NAMED, currency="USD"),
    "waterfall": charts.waterfall(NAMED, "Total", currency="EUR"),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_chart_when_made_then_plotly_validates_it_and_makes_the_same_bytes(chart: str) -> None:
    assert go.Figure(json.loads(chart)).to_json() == chart


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_chart_when_a_name_would_end_its_script_element_then_it_cannot(chart: str) -> None:
    assert "<" not in chart
