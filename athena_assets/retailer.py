"""Whose home this is: the source, the nights it has, and the tables that follow from what it delivers."""

from dataclasses import dataclass
from datetime import date, timedelta

from athena_assets.nights import Night
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import Source

DERIVED = ("order_lines", "orders", "customers", "products")
"""Clean tables that every retailer has: delivered, or derived from the order lines."""

CONTACTS = ("service_contacts", "campaign_contacts")
"""Clean tables that exist only where the source delivers them."""

BOOKS = ("quarantine", "accounting")
"""What cleaning leaves behind beside the clean tables."""


@dataclass(frozen=True)
class Retailer:
    """One retailer as the asset graph sees it."""

    source: Source
    first_night: Night
    last_delivered: Night | None
    """The last night that has been delivered; None before the first delivery."""

    @property
    def raw_tables(self) -> tuple[str, ...]:
        """Raw tables that the source delivers."""
        return self.source.tables

    @property
    def clean_tables(self) -> tuple[str, ...]:
        """Clean tables of this retailer, in the order in which they are computed."""
        return DERIVED + tuple(table for table in CONTACTS if self.source.delivers(table))

    @property
    def feature_tables(self) -> tuple[str, ...]:
        """Clean tables that features may read."""
        return tuple(table for table in self.clean_tables if table not in ("order_lines", "products"))

    @property
    def corrected_tables(self) -> tuple[str, ...]:
        """Clean tables of which a row may be delivered again, corrected."""
        return ("orders",) if self.source.corrects_orders else ()

    def is_open(self, day: date) -> bool:
        """Whether the retailer trades on a day, by the calendar of its mapping."""
        return self.source.mapping.calendar.is_open(day)

    @property
    def last_night(self) -> Night | None:
        """The last night there can be, for a closed data set; None for a retailer that still trades."""
        return None if self.source.mapping.trades else self.last_delivered

    def history_in(self, landing: Landing) -> list[Delivery]:
        """The deliveries that reach before the first night: the bulk history."""
        deliveries = landing.deliveries(self.source.name)
        return [delivery for delivery in deliveries if delivery.first_night < self.first_night.day]

    @property
    def first_training_month(self) -> date:
        """The month that had ended when the first night began: the first that can be trained on."""
        this_month = self.first_night.day.replace(day=1)
        return (this_month - timedelta(days=1)).replace(day=1)
