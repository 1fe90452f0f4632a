"""How alike two columns are: in name by their words, in content by the distance between their distributions.

Numbers and times are compared by the two-sample Kolmogorov-Smirnov distance (the largest gap between the two
empirical distribution functions), texts by total variation (half the sum of the differences of their shares). Both
lie between 0, alike, and 1. Nothing here is a test of significance: a night's rows differ from another night's for
good reasons, and what matters is how far.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Kind = Literal["number", "moment", "text", "truth"]

MOST_CATEGORIES = 50
"""Up to so many different texts are compared as they are; more are identifiers or prose, compared by their form."""

FEW_ROWS = 100
"""Below so many rows a distance is said together with their number."""

SECONDS_OF_A_DAY = 86_400
_NO_NUMBERS: Floats = np.empty(0)


@dataclass(frozen=True)
class Sample:
    """Some rows of one column.

    `filled` rows hold something; `unread` of them do not parse as the column's type. Numbers (`numbers`) are those of
    `kind` number, or seconds since 1970 of a moment; `nights` are the days since 1970 of the nights that brought the
    moments, where they are known.
    """

    kind: Kind
    rows: int
    filled: int
    unread: int = 0
    numbers: Floats = field(default_factory=lambda: _NO_NUMBERS)
    nights: Floats = field(default_factory=lambda: _NO_NUMBERS)
    texts: tuple[str, ...] = ()

    @property
    def filled_share(self) -> float:
        """Share of rows that hold something; 0 where there is no row."""
        return self.filled / self.rows if self.rows else 0.0

    @property
    def read_share(self) -> float:
        """Share of the filled rows that parse as the column's type; 0 where nothing is filled."""
        return 1 - self.unread / self.filled if self.filled else 0.0


@dataclass(frozen=True)
class Distance:
    """How far two distributions lie apart: `KS` or `TV`, 0 to 1.

    `chance` is how far two samples of one distribution lie apart on average, with so many rows; `rows` are those of
    the smaller sample.
    """

    measure: Literal["KS", "TV"]
    value: float
    chance: float
    rows: int

    @property
    def beyond_chance(self) -> float:
        """The part of the distance that chance does not explain."""
        return max(0.0, self.value - self.chance)

    def __str__(self) -> str:
        few = f" on {self.rows} rows" if self.rows < FEW_ROWS else ""
        return f"{self.measure} {self.value:.2f}{few}"


def name_likeness(left: str, right: str) -> float:
    """1.0 for the same words in another order, case or spelling; else how many words or letters are shared."""
    words_left, words_right = _words(left), _words(right)
    if sorted(words_left) == sorted(words_right):
        return 1.0
    shared = sum((Counter(words_left) & Counter(words_right)).values())
    by_words = 2 * shared / (len(words_left) + len(words_right))
    by_letters = SequenceMatcher(None, "".join(words_left), "".join(words_right)).ratio()
    return max(by_words, by_letters)


def ks_distance(left: Floats, right: Floats) -> float:
    """Two-sample Kolmogorov-Smirnov distance: the largest gap between the empirical distribution functions."""
    left, right = np.sort(left), np.sort(right)
    points = np.concatenate([left, right])
    gap = np.searchsorted(left, points, "right") / left.size - np.searchsorted(right, points, "right") / right.size
    return float(np.abs(gap).max())


def total_variation(left: Sequence[Any], right: Sequence[Any]) -> float:
    """Half the sum over all values of the difference of their shares."""
    of_left, of_right = Counter(left), Counter(right)
    values = of_left.keys() | of_right.keys()
    return sum(abs(of_left[value] / len(left) - of_right[value] / len(right)) for value in values) / 2


def ks_by_chance(left: int, right: int) -> float:
    """Mean of the distance between samples of so many rows of one distribution (Kolmogorov: sqrt(pi / 2) * ln 2)."""
    return math.sqrt(math.pi / 2) * math.log(2) * math.sqrt(1 / left + 1 / right)


def tv_by_chance(left: Sequence[Any], right: Sequence[Any]) -> float:
    """Mean total variation between samples of one distribution, by the normal approximation of every share."""
    rows = len(left) + len(right)
    shares = (count / rows for count in Counter([*left, *right]).values())
    spread = sum(math.sqrt(share * (1 - share)) for share in shares)
    return spread * math.sqrt((1 / len(left) + 1 / len(right)) / (2 * math.pi))


def distance(reference: Sample, candidate: Sample) -> Distance | None:
    """Between what a column held and what another one holds; None where one of the two holds nothing.

    Moments are compared by what does not move with the night: the time of day, the age against the night that
    brought them, and the gaps within a day, relative to their mean; the farthest counts.
    """
    if reference.kind == "moment" and reference.numbers.size and candidate.numbers.size:
        return max((_ks(*view) for view in _views(reference, candidate)), key=lambda each: each.beyond_chance)
    if reference.kind == "number" and reference.numbers.size and candidate.numbers.size:
        return _ks(reference.numbers, candidate.numbers)
    if reference.kind in ("text", "truth") and reference.texts and candidate.texts:
        left, right = _comparable(reference.texts, candidate.texts)
        return Distance("TV", total_variation(left, right), tv_by_chance(left, right), min(len(left), len(right)))
    return None


def _ks(left: Floats, right: Floats) -> Distance:
    return Distance("KS", ks_distance(left, right), ks_by_chance(left.size, right.size), min(left.size, right.size))


def _views(reference: Sample, candidate: Sample) -> list[tuple[Floats, Floats]]:
    views = [(reference.numbers % SECONDS_OF_A_DAY, candidate.numbers % SECONDS_OF_A_DAY)]
    if reference.nights.size and candidate.nights.size:
        views.append((_age(reference), _age(candidate)))
    gaps = (_gaps(reference.numbers), _gaps(candidate.numbers))
    if min(each.size for each in gaps):
        views.append(gaps)
    return views


def _age(sample: Sample) -> Floats:
    return sample.nights - sample.numbers // SECONDS_OF_A_DAY


def _gaps(moments: Floats) -> Floats:
    """Seconds between neighbours of the same day, relative to their mean: thinning a sample leaves it as it is."""
    ordered = np.sort(moments)
    same_day = np.diff(ordered // SECONDS_OF_A_DAY) == 0
    gaps = np.diff(ordered)[same_day]
    return gaps / gaps.mean() if gaps.size and gaps.mean() > 0 else _NO_NUMBERS


def _comparable(left: Sequence[str], right: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    if max(len(set(left)), len(set(right))) <= MOST_CATEGORIES:
        return left, right
    return [_form(text) for text in left], [_form(text) for text in right]


def _form(text: str) -> str:
    """What an identifier looks like (`C-00012345` -> `C-99999999`); of prose, only how it is made up."""
    if any(letter.isdigit() for letter in text) and " " not in text:
        return re.sub(r"[0-9]", "9", text)
    return ("several words" if " " in text else "a word") + (" and digits" if re.search(r"\d", text) else "")


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_]+", spaced.casefold()) if word]
