"""Line charts as SVG, several panels in one picture: what docs show of curves, without a plotting library."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, COLUMNS = 400, 270, 3
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 30, 44
_STYLES = (("#111111", ""), ("#d95f02", ""), ("#1b9e77", "6 3"))
"""Colour and dashes of the first, second and third series."""
_FONT = 'font-family="Helvetica, Arial, sans-serif"'


@dataclass(frozen=True)
class Series:
    """One curve: x and y of its points."""

    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Axis:
    """A label, the values that are marked with what stands beside them, and whether the scale is logarithmic.

    The first and last marked values are the ends of the axis; what lies beyond is not drawn.
    """

    label: str
    marks: Sequence[tuple[float, str]]
    is_log: bool = False

    def position(self, value: float) -> float:
        """0 at the first mark, 1 at the last."""
        scale: Callable[[float], float] = math.log if self.is_log else float
        low, high = scale(self.marks[0][0]), scale(self.marks[-1][0])
        return (scale(value) - low) / (high - low)

    def holds(self, value: float) -> bool:
        """Whether a value lies on the axis."""
        return self.marks[0][0] <= value <= self.marks[-1][0]


@dataclass(frozen=True)
class Panel:
    """One chart; its series come in the order of the legend."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]


def picture(panels: Sequence[Panel], legend: Sequence[str]) -> str:
    """The SVG text of all panels, three beside each other, under one legend."""
    rows = -(-len(panels) // COLUMNS)
    width, height = WIDTH * COLUMNS, HEIGHT * rows + 34
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" {_FONT}>']
    parts.append(f'<rect width="{width}" height="{height}" fill="#ffffff"/>')
    for place, (name, (colour, dashes)) in enumerate(zip(legend, _STYLES, strict=True)):
        x = 20 + place * 390
        parts.append(_line([(x, 18), (x + 30, 18)], colour, dashes))
        parts.append(_text(x + 38, 22, name, size=13, anchor="start"))
    for place, panel in enumerate(panels):
        x, y = place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT + 34
        parts.append(f'<g transform="translate({x} {y})">{_panel(panel)}</g>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel) -> str:
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def across(value: float) -> float:
        return _LEFT + panel.x.position(value) * width

    def up(value: float) -> float:
        return _TOP + height - panel.y.position(value) * height

    parts = [_text(_LEFT, 18, panel.title, size=14, anchor="start", weight="bold")]
    for value, mark in panel.y.marks:
        parts.append(_line([(_LEFT, up(value)), (_LEFT + width, up(value))], "#dddddd", "", thin=True))
        parts.append(_text(_LEFT - 6, up(value) + 4, mark, anchor="end"))
    for value, mark in panel.x.marks:
        parts.append(
            _line([(across(value), _TOP + height), (across(value), _TOP + height + 4)], "#888888", "", thin=True)
        )
        parts.append(_text(across(value), _TOP + height + 16, mark))
    parts.append(_text(_LEFT + width / 2, HEIGHT - 10, panel.x.label))
    parts.append(_text(_LEFT + width, 18, panel.y.label, anchor="end"))
    for series, (colour, dashes) in zip(panel.series, _STYLES, strict=True):
        points = [
            (across(x), up(y)) for x, y in zip(series.x, series.y, strict=True) if panel.x.holds(x) and panel.y.holds(y)
        ]
        parts.append(_line(points, colour, dashes))
    return "".join(parts)


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str, *, thin: bool = False) -> str:
    listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{listed}" fill="none" stroke="{colour}" stroke-width="{1 if thin else 2}"{dashed}/>'


def _text(x: float, y: float, text: str, *, size: int = 11, anchor: str = "middle", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
        f' fill="#333333">{escape(text)}</text>'
    )
