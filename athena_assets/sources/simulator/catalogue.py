"""The product catalogue: what can be bought on which day, at what price, and how popular it is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.streams import Purpose, stream

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

CATEGORIES = ("kitchen", "home", "garden", "stationery", "toys", "textiles", "jewellery", "christmas")
CHRISTMAS = CATEGORIES.index("christmas")
CHRISTMAS_BOOST = {10: 2.0, 11: 4.0, 12: 4.0}
"""Popularity factor of the Christmas category by month; `CHRISTMAS_OTHERWISE` in all others."""
CHRISTMAS_OTHERWISE = 0.25

_MEDIAN_PRICE = np.array([9.0, 14.0, 16.0, 4.0, 11.0, 18.0, 21.0, 6.0])
_PRICE_SIGMA = 0.6
_FINISH = ("plain", "painted", "striped", "vintage", "woven", "glazed", "floral", "small", "large", "folding")
_MATERIAL = ("oak", "cotton", "tin", "glass", "paper", "willow", "enamel", "linen", "felt", "brass")
_NOUNS = (
    ("mug", "tray", "jug", "bowl", "cake stand", "apron", "whisk", "bread bin"),
    ("lamp", "clock", "frame", "mirror", "candle", "shelf", "vase", "doormat"),
    ("planter", "bird house", "lantern", "watering can", "bench", "wind chime", "stake", "trug"),
    ("notebook", "card set", "ribbon", "pen pot", "wrap", "sticker sheet", "diary", "stamp"),
    ("puzzle", "skittles", "doll", "kite", "spinning top", "train", "blocks", "teddy"),
    ("cushion", "throw", "bag", "towel", "rug", "quilt", "scarf", "tea cosy"),
    ("necklace", "bracelet", "earrings", "ring", "brooch", "hair slide", "charm", "box"),
    ("bauble", "garland", "wreath", "stocking", "star", "reindeer", "advent calendar", "tree skirt"),
)


@dataclass(frozen=True)
class Catalogue:
    """All products in the order of their launch; the first `base` are there before the first day.

    The base is sorted by category, so that a category is a slice of the base. Prices are integer cents.
    `launched[p]` is the simulation day of the launch (-1 for the base).
    """

    base: int
    launches_per_day: int
    launched: IntArray
    category: IntArray
    list_price_cents: IntArray
    popularity: FloatArray
    description: list[str]

    def on_sale(self, day: int) -> int:
        """How many products have been launched up to and including `day`: the first so many are on sale."""
        return self.base + self.launches_per_day * (day + 1)

    def cumulative_popularity(self, day: int, month: int) -> FloatArray:
        """Running sum of the day's popularity over the products on sale; the last entry is the total."""
        size = self.on_sale(day)
        boost = CHRISTMAS_BOOST.get(month, CHRISTMAS_OTHERWISE)
        weight = np.where(self.category[:size] == CHRISTMAS, boost, 1.0) * self.popularity[:size]
        return np.cumsum(weight)

    def base_bounds(self) -> tuple[FloatArray, IntArray]:
        """Running sum of the base's popularity (from 0, length base + 1) and each category's first product."""
        running = np.concatenate([[0.0], np.cumsum(self.popularity[: self.base])])
        edges = np.searchsorted(self.category[: self.base], np.arange(len(CATEGORIES) + 1))
        return running, edges

    @classmethod
    def build(cls, parameters: SimulatorParameters) -> "Catalogue":
        """The base, then the launches of each day, each day from its own stream."""
        base, launches = parameters.products, parameters.product_launches_per_day
        rng = stream(parameters.seed, Purpose.CATALOGUE)
        ranks = [rng.permutation(base) + 1]
        uniforms = [rng.random((base, 3))]
        categories = [np.sort(rng.integers(0, len(CATEGORIES), base))]
        normals = [rng.standard_normal(base)]
        for day in range(parameters.days if launches else 0):
            rng = stream(parameters.seed, Purpose.LAUNCH, day)
            ranks.append(rng.integers(1, base + 1, launches))
            uniforms.append(rng.random((launches, 3)))
            categories.append(rng.integers(0, len(CATEGORIES), launches))
            normals.append(rng.standard_normal(launches))
        category = np.concatenate(categories)
        price = _MEDIAN_PRICE[category] * np.exp(_PRICE_SIGMA * np.concatenate(normals))
        return cls(
            base=base,
            launches_per_day=launches,
            launched=np.concatenate([np.full(base, -1), np.repeat(np.arange(parameters.days), launches)]),
            category=category,
            list_price_cents=np.maximum(np.rint(price * 2).astype(np.int64) * 50 - 1, 49),
            popularity=np.concatenate(ranks).astype(np.float64) ** -parameters.zipf_exponent,
            description=_descriptions(category, np.concatenate(uniforms)),
        )


def _descriptions(category: IntArray, uniform: FloatArray) -> list[str]:
    words = []
    for kind, (first, second, third) in zip(category.tolist(), uniform.tolist(), strict=True):
        nouns = _NOUNS[kind]
        words.append(
            f"{_FINISH[int(first * len(_FINISH))]} {_MATERIAL[int(second * len(_MATERIAL))]}"
            f" {nouns[int(third * len(nouns))]}"
        )
    return words
