"""What a figure may be after its own history: the band, its scales and its season."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.contract import Band
from checks.rules import Past, Rule, RuleResult, allowed_by, judge

FIGURES = st.floats(min_value=0.01, max_value=1e6)


def past(*figures: float, rows: int = 100, year_before: bool = False) -> list[Past]:
    return [Past(figure, rows, year_before) for figure in figures]


def judged(band: Band, figure: float | None, history: list[Past], rows: int = 100) -> RuleResult:
    return judge(Rule("figure", "distribution", "A figure.", "count(*)", band=band), figure, rows, history)


@given(st.lists(FIGURES, min_size=7, max_size=28), st.floats(min_value=0, max_value=100), st.integers(1, 10_000))
def test_band_when_the_figure_is_the_centre_of_its_history_then_it_passes(
    figures: list[float], tolerance: float, rows: int
) -> None:
    centre = sorted(figures)[len(figures) // 2]
    history = past(*figures, centre, centre) if len(figures) % 2 else past(*figures)
    low, high = allowed_by(Band(Decimal(tolerance)), history, rows)
    assert low is not None
    assert high is not None
    assert low <= high
    assert high - low >= 2 * tolerance - 1e-6


@given(st.lists(FIGURES, min_size=7, max_size=28), FIGURES)
def test_band_when_both_ends_are_closed_then_it_is_the_two_halves_together(figures: list[float], figure: float) -> None:
    def passes(side: str) -> bool:
        band = Band(Decimal(2), spread=Decimal(3), side=side)  # type: ignore[arg-type]
        return judged(band, figure, past(*figures)).passed

    assert passes("both") == (passes("above") and passes("below"))


@given(st.lists(FIGURES, min_size=7, max_size=28), FIGURES, st.floats(min_value=0.01, max_value=100))
def test_band_when_the_scale_is_log_then_another_unit_changes_nothing(
    figures: list[float], figure: float, unit: float
) -> None:
    band = Band(Decimal("2.5"), spread=Decimal(3), scale="log")
    low, high = allowed_by(band, past(*figures), 100)
    in_unit = allowed_by(band, past(*(each * unit for each in figures)), 100)
    assert low is not None
    assert high is not None
    assert in_unit == (pytest.approx(low * unit), pytest.approx(high * unit))


@pytest.mark.parametrize(("figure", "status"), [(41, "passed"), (39, "failed"), (249, "passed"), (251, "failed")])
def test_band_when_the_scale_is_log_then_the_tolerance_is_a_factor(figure: float, status: str) -> None:
    assert judged(Band(Decimal("2.5"), scale="log"), figure, past(*[100.0] * 7)).status == status


def test_band_when_the_scale_is_log_then_nothing_at_all_fails_and_is_no_history() -> None:
    band = Band(Decimal(2), scale="log")
    assert judged(band, 0, past(*[100.0] * 7)).status == "failed"
    assert judged(band, 100, past(0.0, *[100.0] * 6)).status == "not evaluated"


def test_band_when_the_same_week_of_last_year_was_like_it_then_a_season_passes() -> None:
    history = past(*[200.0] * 28)
    christmas = past(16.0, 150.0, year_before=True)
    band = Band(Decimal(2), scale="log")
    seasonal = Band(Decimal(2), scale="log", season=True)
    assert judged(band, 11, [*history, *christmas]).status == "failed"
    assert judged(seasonal, 11, history).status == "failed"
    assert judged(seasonal, 11, [*history, *christmas]).status == "passed"
    assert judged(seasonal, 7, [*history, *christmas]).status == "failed"
    assert judged(seasonal, 401, [*history, *christmas]).status == "failed"


def test_band_when_there_are_only_figures_of_last_year_then_it_is_not_evaluated() -> None:
    assert judged(Band(Decimal(2), season=True), 5, past(*[5.0] * 7, year_before=True)).status == "not evaluated"


@pytest.mark.parametrize(("figure", "status"), [(1.09, "passed"), (1.17, "failed"), (0.89, "failed")])
def test_band_when_the_centre_is_assumed_then_the_first_night_is_judged(figure: float, status: str) -> None:
    band = Band(Decimal("0.1"), assumed=Decimal(1))
    assert judged(band, figure, []).status == status
    # The history takes over as soon as there is enough of it.
    assert judged(band, 1.17, past(*[1.15] * 7)).status == "passed"


def test_band_when_rows_are_few_then_an_average_may_vary_more() -> None:
    band = Band(Decimal(0), spread=Decimal(4), per_row=True)
    history = past(0.4, 0.5, 0.6, 0.4, 0.5, 0.6, 0.5, rows=100)
    widths = []
    for rows in (25, 100, 400):
        low, high = allowed_by(band, history, rows)
        assert low is not None
        assert high is not None
        widths.append(high - low)
    assert widths == [pytest.approx(2 * widths[1]), widths[1], pytest.approx(widths[1] / 2)]


def test_band_when_the_figure_is_no_number_then_it_fails() -> None:
    assert judged(Band(Decimal(1)), math.nan, past(*[1.0] * 7)).status == "failed"


@pytest.mark.parametrize("wrong", [{"tolerance": Decimal("0.5")}, {"tolerance": Decimal(2), "relative": True}])
def test_band_when_a_log_tolerance_is_no_factor_then_it_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="factor of at least 1"):
        Band(scale="log", **wrong)  # type: ignore[arg-type]


def test_band_when_a_figure_was_told_then_it_is_told_again_only_when_it_goes_further() -> None:
    history = [*past(*[0.1] * 27), Past(0.35, 100, told=True)]
    every_night, once = Band(Decimal("0.2"), side="above"), Band(Decimal("0.2"), side="above", once=True)
    assert judged(every_night, 0.35, history).status == "failed"
    assert judged(once, 0.35, past(*[0.1] * 27)).status == "failed"
    assert judged(once, 0.36, history).status == "passed"
    assert judged(once, 0.56, history).status == "failed"
