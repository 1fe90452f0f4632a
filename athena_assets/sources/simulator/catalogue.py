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

REVISION_DAYS = 365
"""From one revision of a product's price to the next."""
GROWTH_DAYS = 60
"""How long a new product takes to its full popularity, which grows in a straight line."""
DECLINE_SHARE = 0.3
"""The last part of a product's life, in which its popularity falls in a straight line to nothing."""
SHORTEST_LIFE_DAYS = 30
NOT_RETIRED = 10**9

_LIFE_SHAPE = 4.0
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
class PriceVersions:
    """List prices and the simulation day from which each holds, ascending."""

    product: IntArray
    day: IntArray
    price_cents: IntArray


@dataclass(frozen=True)
class Catalogue:
    """All products in the order of their launch; the first `base` are there before the first day.

    The base is sorted by category, so that a category is a slice of the base. `launch_price` is in pounds.
    Days are simulation days: `launched` says from when a product was delivered (-1 for the base), `born` when its
    life began, `retired` the first day on which it is not sold any more (or `NOT_RETIRED`), `revised` its first
    revision of the price.
    """

    base: int
    launches_per_day: int
    inflation: float
    launched: IntArray
    born: IntArray
    retired: IntArray
    revised: IntArray
    category: IntArray
    launch_price: FloatArray
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
        return np.cumsum(weight * self._stage_of_life(day, size))

    def list_price_cents(self, revisions: IntArray) -> IntArray:
        """The list price of every product after so many revisions, in integer cents: pounds and 49 or 99."""
        price = self.launch_price * (1 + self.inflation) ** revisions
        return np.maximum(np.rint(price * 2).astype(np.int64) * 50 - 1, 49)

    def price_versions(self, days: int) -> "PriceVersions":
        """The first price of every product and every later one that differs, before day `days`, by day."""
        product, since, cents = [np.arange(self.launched.size)], [self.launched], []
        cents.append(self.list_price_cents(np.zeros_like(self.launched)))
        before = cents[0]
        for revision in range(1, days // REVISION_DAYS + 2):
            now = self.list_price_cents(np.full_like(self.launched, revision))
            day = self.revised + (revision - 1) * REVISION_DAYS
            changed = np.flatnonzero((now != before) & (day < np.minimum(days, self.retired)))
            product.append(changed)
            since.append(day[changed])
            cents.append(now[changed])
            before = now
        order = np.argsort(np.concatenate(since), kind="stable")
        return PriceVersions(*(np.concatenate(parts)[order] for parts in (product, since, cents)))

    def revisions(self, day: int) -> IntArray:
        """How many revisions every product has had up to and including `day`."""
        return np.maximum((day - self.revised) // REVISION_DAYS + 1, 0)

    def _stage_of_life(self, day: int, size: int) -> FloatArray:
        """Popularity of the first `size` products relative to their best days: growth, then decline, then 0."""
        born, retired = self.born[:size], self.retired[:size]
        growth = np.minimum((day - born + 1) / GROWTH_DAYS, 1.0)
        decline = (retired - day) / ((retired - born) * DECLINE_SHARE)
        return growth * np.clip(decline, 0.0, 1.0)

    def base_bounds(self) -> tuple[FloatArray, IntArray]:
        """Running sum of the base's popularity (from 0, length base + 1) and each category's first product."""
        running = np.concatenate([[0.0], np.cumsum(self.popularity[: self.base])])
        edges = np.searchsorted(self.category[: self.base], np.arange(len(CATEGORIES) + 1))
        return running, edges

    @classmethod
    def build(cls, parameters: SimulatorParameters) -> "Catalogue":
        """The base, then the launches of each day, each day from its own stream."""
        base, launches = parameters.products, parameters.product_launches_per_day
        launched = np.concatenate([np.full(base, -1), np.repeat(np.arange(parameters.days), launches)])
        born, retired = _lives(parameters, launched)
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
            inflation=parameters.price_inflation,
            launched=launched,
            born=born,
            retired=retired,
            revised=_first_revisions(parameters, launched),
            category=category,
            launch_price=price,
            popularity=np.concatenate(ranks).astype(np.float64) ** -parameters.zipf_exponent,
            description=_descriptions(category, np.concatenate(uniforms)),
        )


def _lives(parameters: SimulatorParameters, launched: IntArray) -> tuple[IntArray, IntArray]:
    """Days on which the lives of products begin and end. The base is in the midst of lives of all ages."""
    base, launches = parameters.products, parameters.product_launches_per_day
    if launches == 0:
        return launched, np.full(base, NOT_RETIRED)
    rng = stream(parameters.seed, Purpose.LIFE)
    mean = parameters.product_life_years * REVISION_DAYS / _LIFE_SHAPE
    # A life that one finds in its midst is a longer one: length-biased, the gamma's shape is one higher.
    life = [rng.standard_gamma(_LIFE_SHAPE + 1, base) * mean]
    spent = np.concatenate([rng.random(base), np.zeros(launched.size - base)])
    for day in range(parameters.days):
        life.append(stream(parameters.seed, Purpose.LIFE, day).standard_gamma(_LIFE_SHAPE, launches) * mean)
    days = np.maximum(np.concatenate(life), SHORTEST_LIFE_DAYS)
    born = launched - (spent * days).astype(np.int64)
    return born, np.maximum(born + days.astype(np.int64), launched + 2)


def _first_revisions(parameters: SimulatorParameters, launched: IntArray) -> IntArray:
    """The day of each product's first revision: on any day of the first year for the base, else a year old."""
    base = stream(parameters.seed, Purpose.REVISION).integers(0, REVISION_DAYS, parameters.products)
    return np.concatenate([base, launched[parameters.products :] + REVISION_DAYS])


def _descriptions(category: IntArray, uniform: FloatArray) -> list[str]:
    words = []
    for kind, (first, second, third) in zip(category.tolist(), uniform.tolist(), strict=True):
        nouns = _NOUNS[kind]
        words.append(
            f"{_FINISH[int(first * len(_FINISH))]} {_MATERIAL[int(second * len(_MATERIAL))]}"
            f" {nouns[int(third * len(nouns))]}"
        )
    return words
