"""The rows that a retailer delivers, as far as features read them: plain records, shared by generator and oracle."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

TABLES = ("orders", "service_contacts", "campaign_contacts", "customers")
COUNTRY = "United Kingdom"
"""Where the business is."""


@dataclass(frozen=True)
class Order:
    """An order or a return; without a customer it is an anonymous sale."""

    order_id: str
    customer_id: str | None
    order_ts: datetime
    known_at: datetime
    total_order_amount: Decimal
    item_count: int
    is_return: bool
    channel: str | None

    @property
    def key(self) -> str:
        """What a correction repeats."""
        return self.order_id

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.order_ts


@dataclass(frozen=True)
class Contact:
    """What both kinds of contact have."""

    contact_id: str
    customer_id: str | None
    contact_ts: datetime
    known_at: datetime

    @property
    def key(self) -> str:
        """What a correction repeats."""
        return self.contact_id

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.contact_ts


@dataclass(frozen=True)
class ServiceContact(Contact):
    """A customer's contact with service."""

    topic: str
    is_resolved: bool


@dataclass(frozen=True)
class CampaignContact(Contact):
    """A customer's assignment to one arm of a campaign."""

    arm: str
    response: bool


@dataclass(frozen=True)
class CustomerVersion:
    """What the register said of a customer from `known_at` on."""

    customer_id: str
    known_at: datetime
    registered_on: date
    country: str | None


@dataclass(frozen=True)
class Retailer:
    """Every row that a retailer ever delivered; where it `corrects`, an id may come again with a later `known_at`."""

    orders: list[Order] = field(default_factory=list)
    service_contacts: list[ServiceContact] = field(default_factory=list)
    campaign_contacts: list[CampaignContact] = field(default_factory=list)
    customers: list[CustomerVersion] = field(default_factory=list)
    corrects: bool = False
