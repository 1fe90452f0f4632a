"""The page's charts as Plotly figures: the one place where money becomes floating point, to be drawn.

A figure is the JSON that Plotly for Python would make of it, byte for byte (a test has it validate and make each), and
is drawn by the vendored bundle of plotly.js, which knows bars and waterfalls among others. Every chart repeats a table
that stands beside it.
"""

import json
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
    bars = [
        _trace(
            "bar",
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
    return _json(bars, layout)


def ranked_bars(amounts: Mapping[str, Decimal], *, currency: str) -> str:
    """Horizontal bars, the largest on top. Plotly JSON."""
    names = list(amounts)[::-1]
    bar = _trace(
        "bar",
        orientation="h",
        x=[float(amounts[name]) for name in names],
        y=names,
        marker={"color": _PALE},
        hovertemplate=f"%{{y}}: %{{x:.6f}} {currency}<extra></extra>",
    )
    # Names on the bars: beside them, asset names would leave a telephone no room for the bars.
    labels = _trace(
        "scatter",
        x=[0.0] * len(names),
        y=names,
        text=names,
        mode="text",
        textposition="middle right",
        hoverinfo="skip",
    )
    layout = _layout(currency) | {
        "height": 90 + 26 * len(names),
        "showlegend": False,
        "xaxis": {"title": {"text": currency}, "gridcolor": _GRID, "rangemode": "tozero", "nticks": 5},
        "yaxis": {"type": "category", "showticklabels": False, "showgrid": False},
        "margin": {"l": 8, "r": 12, "t": 12, "b": 48},
    }
    return _json([bar, labels], layout)


def waterfall(lines: Mapping[str, Decimal], total: str, *, currency: str) -> str:
    """Amounts stacked up to their total. Plotly JSON."""
    steps = _trace(
        "waterfall",
        x=[*lines, total],
        y=[*(float(amount) for amount in lines.values()), 0.0],
        measure=[*("relative" for _ in lines), "total"],
        increasing={"marker": {"color": PALETTE["compute"]}},
        totals={"marker": {"color": _INK}},
        connector={"line": {"color": _OTHER, "width": 1}},
        hovertemplate=f"%{{x}}: %{{y:,.2f}} {currency}<extra></extra>",
    )
    layout = _layout(currency) | {"showlegend": False, "xaxis": {"type": "category", "automargin": True}}
    return _json([steps], layout)


def _layout(currency: str) -> dict[str, Any]:
    return {
        # What Plotly calls the template "none".
        "template": {"data": {"scatter": [{"type": "scatter"}]}},
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


def _trace(kind: str, **properties: Any) -> dict[str, Any]:
    return {**_in_order(properties), "type": kind}


def _in_order(value: Any) -> Any:
    """The value with the names of its properties, and of theirs, in order."""
    if not isinstance(value, dict):
        return value
    return {name: _in_order(value[name]) for name in sorted(value)}


def _json(traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> str:
    text = json.dumps({"data": traces, "layout": _in_order(layout)}, separators=(",", ":"), allow_nan=False)
    # "<" would end the script element that carries the figure if a name ever contained "</script>".
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("/", "\\u002f")
