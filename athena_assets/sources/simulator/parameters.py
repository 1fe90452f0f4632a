"""What can be tuned about the simulated retailer, with the range each parameter may take."""

from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from typing import Any

from athena_assets.errors import AthenaError


class InvalidSimulatorParameter(AthenaError):
    """A simulator parameter has the wrong type or lies outside its range; the message names it."""


def _within(default: int | float, low: int | float, high: int | float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class SimulatorParameters:
    """One simulated retailer. Equal parameters give equal bytes.

    Rates are per unit named in the field; shares and probabilities lie in [0, 1].
    Raises `InvalidSimulatorParameter` for the first field out of range.
    """

    seed: int = _within(20_261_031, 0, 2**63 - 1)
    customers: int = _within(5_000, 100, 10_000_000)
    """Customers registered by the end of the history, those who have left included; nights add to them."""

    first_night: date = date(2026, 10, 29)
    nights: int = _within(3, 0, 731)
    """Nightly deliveries after the history; changing it changes no byte of the history."""
    history_days: int = _within(730, 30, 3_660)

    purchases_per_year: float = _within(8.0, 0.1, 200.0)
    purchase_shape: float = _within(1.1, 0.1, 20.0)
    """Shape r of the gamma of purchase rates: smaller is more unequal."""
    lifetime_years: float = _within(3.0, 0.1, 50.0)
    """Mean time from registration to dropout of a new customer, without grievances and campaigns."""
    dropout_shape: float = _within(2.0, 1.05, 20.0)
    """Shape s of the gamma of dropout rates; above one, because the mean lifetime must be finite."""

    christmas_strength: float = _within(1.2, 0.0, 3.0)
    """Exponent on the yearly curve: 0 is no season, 1 the curve as drawn in `season.py`."""
    gift_shopper_share: float = _within(0.25, 0.0, 1.0)

    products: int = _within(1_200, 10, 1_000_000)
    """Products in the catalogue on the first day."""
    product_launches_per_day: int = _within(1, 0, 1_000)
    """With none, nothing is retired either."""
    product_life_years: float = _within(3.3, 0.2, 100.0)
    """Mean time from launch to retirement; the default keeps the number of products."""
    price_inflation: float = _within(0.03, 0.0, 0.5)
    """By how much a list price rises a year, on the product's own day of the year."""
    zipf_exponent: float = _within(0.9, 0.0, 3.0)
    favourite_share: float = _within(0.35, 0.0, 1.0)
    """Share of order lines taken from the customer's own eight favourites."""

    lines_per_order: float = _within(3.0, 1.0, 50.0)
    units_per_line: float = _within(1.7, 1.0, 100.0)
    basket_sigma: float = _within(0.6, 0.0, 2.0)
    """Log-scale spread between customers of lines per order and units per line."""
    bulk_share: float = _within(0.01, 0.0, 1.0)
    """Share of orders for an office or a party, with many times the units of the customer's others."""
    return_rate: float = _within(0.08, 0.0, 1.0)

    loyalty_joins_per_year: float = _within(0.2, 0.0, 10.0)
    """Rate at which a registered shopper joins the loyalty scheme, for good: the longer a customer, the likelier."""
    loyalty_purchase_lift: float = _within(1.2, 1.0, 5.0)
    loyalty_basket_lift: float = _within(1.1, 1.0, 5.0)
    """Factors of a member: on the purchase rate, and on the lines of an order beyond the first."""
    staff_share: float = _within(0.003, 0.0, 0.2)
    """Share of customers who work for the retailer: small, frequent, discounted orders."""
    bot_share: float = _within(0.0002, 0.0, 0.1)
    """Share of accounts that buy to sell again: every other day, many lines, many units."""

    late_till_share: float = _within(0.02, 0.0, 1.0)
    """Share of the orders in stores whose till was offline: delivered one to five nights late."""

    correction_share: float = _within(0.0, 0.0, 1.0)
    """Share of the orders that come again one to ten nights later, corrected."""

    complaint_rate: float = _within(0.06, 0.0, 1.0)
    question_rate: float = _within(0.06, 0.0, 1.0)
    resolution_rate: float = _within(0.7, 0.0, 1.0)
    grievance_hazard: float = _within(5.0, 0.0, 100.0)
    """Kappa: by how much one unresolved complaint multiplies the dropout hazard, less one."""
    grievance_half_life_days: float = _within(60.0, 1.0, 3_650.0)

    campaign_reach_per_day: float = _within(0.006, 0.0, 0.2)
    """Share of registered customers drawn for a campaign contact each day, before eligibility."""
    campaign_gap_days: int = _within(60, 15, 3_650)
    """Least days between two contacts of a customer; above the 14 of a response window."""
    holdout_share: float = _within(0.2, 0.01, 0.99)

    drift_from: date | None = None
    """Scenario: from this day on customers buy otherwise."""
    drift_purchases: float = _within(0.6, 0.05, 20.0)
    drift_basket: float = _within(1.0, 0.0, 10.0)
    """Factors from then on: on purchase rates, and on the lines of an order beyond the first."""
    holiday_from: date | None = None
    """Scenario: a promotion week of `holiday_days` multiplies purchase rates and takes a fifth off many lines."""
    holiday_days: int = _within(7, 1, 60)
    holiday_lift: float = _within(2.5, 1.0, 20.0)
    outage_from: date | None = None
    """Scenario: for `outage_nights` nights no order is delivered."""
    outage_nights: int = _within(2, 1, 60)
    outage_recovered: float = _within(1.0, 0.0, 1.0)
    """Share of those orders that come with the first night after; the others never do."""
    rename_from: date | None = None
    """Scenario: from this night on the orders' `total_order_amount` is delivered as `order_total_amount`."""

    churn_horizon_days: int = _within(90, 1, 366)
    """Horizon of the churn probability written to the truth folder."""

    def __post_init__(self) -> None:
        for spec in fields(self):
            self._check(spec.name, spec.type, dict(spec.metadata))
        if self.rename_from is not None and self.rename_from < self.first_night:
            raise InvalidSimulatorParameter(
                "simulator parameter rename_from is out of range",
                expected=f"rename_from must be a night, {self.first_night} or later: the history is one file",
                found=f"rename_from = {self.rename_from}",
                next_command="pass another value for rename_from",
            )

    def _check(self, name: str, declared: Any, bounds: dict[str, Any]) -> None:
        value = getattr(self, name)
        accepted = (int, float) if declared is float else declared
        if isinstance(value, bool) or not isinstance(value, accepted):
            raise InvalidSimulatorParameter(
                f"simulator parameter {name} has the wrong type",
                expected=f"{name} to be {getattr(declared, '__name__', declared)}",
                found=f"{value!r} ({type(value).__name__})",
                next_command=f"pass another value for {name}",
            )
        if bounds and not bounds["low"] <= value <= bounds["high"]:
            raise InvalidSimulatorParameter(
                f"simulator parameter {name} is out of range",
                expected=f"{name} must be >= {bounds['low']} and <= {bounds['high']}",
                found=f"{name} = {value!r}",
                next_command=f"pass another value for {name}",
            )

    @property
    def first_day(self) -> date:
        """The first day of the history."""
        return self.first_night - timedelta(days=self.history_days)

    @property
    def days(self) -> int:
        """Simulated days: history and nights. Day `t` of the simulation is `first_day + t`."""
        return self.history_days + self.nights

    @property
    def grievance_decay(self) -> float:
        """What remains of a grievance after one day."""
        return float(0.5 ** (1 / self.grievance_half_life_days))

    def day(self, offset: int) -> date:
        """The calendar day of simulation day `offset`."""
        return self.first_day + timedelta(days=int(offset))
