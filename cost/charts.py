"""The page's charts as Plotly figures: the one place where money becomes floating point, to be drawn.

Figures are validated by Plotly in Python and drawn by the vendored bundle of plotly.js, which knows bars and
waterfalls among others. Every chart repeats a table that stands beside it.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

PALETTE = {
    "compute": "#2b6ca3",
    "storage": "#7a9e3a",
    "infrastructure": "#8a6bb1",
    "talent": "#c46a3b",
}
"""Colour of each cost category: distinct in lightness too, so that a grey print stays readable."""

_OTHER = "#6b7280"
_PALE = "#b9d2ea"
_INK = "#1f2933"
_GRID = "#e3e7eb"


def stacked_bars(
    places: Sequence[str], parts: Mapping[str, Sequence[Decimal]], *, currency: str, by_day: bool = False
) -> str:
    """One bar per place, one colour per part; `parts[name][i]` is the amount at `places[i]`. Plotly JSON."""
    import plotly.graph_objects as go

    bars = [
        go.Bar(
            name=name,
            x=list(places),
            y=[float(amount) for amount in amounts],
            marker={"color": PALETTE.get(name, _OTHER)},
            hovertemplate=f"%{{x}}<br>{name}: %{{y:,.2f}} {currency}<extra></extra>",
        )
        for name, amounts in parts.items()
    ]
    layout = _layout(currency) | {"barmode": "relative", "xaxis": {"type": "category"}}
    if by_day:
        layout["xaxis"] = {"type": "date", "tickformat": "%-d %b", "dtick": 7 * 86_400_000}
    return _json(go.Figure(bars, layout))


def ranked_bars(amounts: Mapping[str, Decimal], *, currency: str) -> str:
    """Horizontal bars, the largest on top. Plotly JSON."""
    import plotly.graph_objects as go

    names = list(amounts)[::-1]
    bar = go.Bar(
        orientation="h",
        x=[float(amounts[name]) for name in names],
        y=names,
        marker={"color": _PALE},
        hovertemplate=f"%{{y}}: %{{x:.6f}} {currency}<extra></extra>",
    )
    # Names on the bars: beside them, asset names would leave a telephone no room for the bars.
    labels = go.Scatter(
        x=[0.0] * len(names), y=names, text=names, mode="text", textposition="middle right", hoverinfo="skip"
    )
    layout = _layout(currency) | {
        "height": 90 + 26 * len(names),
        "showlegend": False,
        "xaxis": {"title": {"text": currency}, "gridcolor": _GRID, "rangemode": "tozero", "nticks": 5},
        "yaxis": {"type": "category", "showticklabels": False, "showgrid": False},
        "margin": {"l": 8, "r": 12, "t": 12, "b": 48},
    }
    return _json(go.Figure([bar, labels], layout))


def waterfall(lines: Mapping[str, Decimal], total: str, *, currency: str) -> str:
    """Amounts stacked up to their total. Plotly JSON."""
    import plotly.graph_objects as go

    figure = go.Waterfall(
        x=[*lines, total],
        y=[*(float(amount) for amount in lines.values()), 0.0],
        measure=[*("relative" for _ in lines), "total"],
        increasing={"marker": {"color": PALETTE["compute"]}},
        totals={"marker": {"color": _INK}},
        connector={"line": {"color": _OTHER, "width": 1}},
        hovertemplate=f"%{{x}}: %{{y:,.2f}} {currency}<extra></extra>",
    )
    layout = _layout(currency) | {"showlegend": False, "xaxis": {"type": "category", "automargin": True}}
    return _json(go.Figure([figure], layout))


def _layout(currency: str) -> dict[str, Any]:
    return {
        "template": "none",
        "height": 340,
        "margin": {"l": 64, "r": 12, "t": 12, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": _INK},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "yaxis": {"title": {"text": currency}, "gridcolor": _GRID, "rangemode": "tozero", "separatethousands": True},
        "bargap": 0.35,
        "dragmode": False,
    }


def _json(figure: Any) -> str:
    # "<" would end the script element that carries the figure if a name ever contained "</script>".
    return str(figure.to_json()).replace("<", "\\u003c")
