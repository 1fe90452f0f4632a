"""From what happened in a block to rows of the delivered tables, each with the day that delivers it."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from athena_assets.sources.simulator import schemas
from athena_assets.sources.simulator.behaviour import BlockEvents
from athena_assets.sources.simulator.catalogue import CATEGORIES, Catalogue
from athena_assets.sources.simulator.contacts import (
    ARMS,
    RESPONSE_WINDOW_DAYS,
    SERVICE_CHANNELS,
    TOPICS,
    selected,
)
from athena_assets.sources.simulator.dispatch import DeliveredOrders
from athena_assets.sources.simulator.population import CHANNELS, COUNTRIES, Block, Traits

IntArray = npt.NDArray[np.int64]

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Rows:
    """Rows of one table in delivered order; `day` is the simulation day that delivers each, ascending.

    `cents` is the money of each row (lines: quantity times unit price; orders: the total), None where the
    table has none. Days before the first belong to the history.
    """

    columns: dict[str, Any]
    day: IntArray
    cents: IntArray | None

    def between(self, name: str, start: int, end: int) -> tuple[Any, int]:
        """The Arrow table of the rows delivered on days [start, end), and their money in cents."""
        low, high = np.searchsorted(self.day, [start, end]).tolist()
        table = pa.table({column: values[low:high] for column, values in self.columns.items()})
        cents = 0 if self.cents is None else int(self.cents[low:high].sum())
        return table.select(schemas.TABLES[name].names).cast(schemas.TABLES[name]), cents


def product_rows(first_day: date, days: int, catalogue: Catalogue) -> Rows:
    """One row per product, delivered on the day of its launch, and one for every day on which its price changed."""
    epoch = (first_day - _EPOCH).days
    versions = catalogue.price_versions(days)
    product = pa.array(versions.product)
    return Rows(
        {
            "product_id": product_ids(catalogue).take(product),
            "description": pa.array(catalogue.description).take(product),
            "category": schemas.names(CATEGORIES, catalogue.category).take(product),
            "list_price": schemas.money(versions.price_cents),
            "known_at": schemas.delivery_times(epoch, versions.day),
        },
        versions.day,
        None,
    )


def product_ids(catalogue: Catalogue) -> Any:
    """The identifiers of all products, in catalogue order."""
    return schemas.identifiers("P-", np.arange(1, catalogue.category.size + 1), 7)


def customer_ids(block: Block) -> Any:
    """The identifiers of a block's customers."""
    return schemas.identifiers("C-", block.first_customer + np.arange(1, block.entry.size + 1), 8)


def contact_numbers(block: Block, number: IntArray) -> Any:
    """The identifiers of campaign contacts; truth joins deliveries on them."""
    return schemas.identifiers("M-", schemas.code_numbers(block.index, number), 12)


def block_rows(
    first_day: date, catalogue: Catalogue, block: Block, traits: Traits, events: BlockEvents
) -> dict[str, Rows]:
    """The rows of every table except products that a block gives."""
    epoch = (first_day - _EPOCH).days
    ids = customer_ids(block)
    customers = Rows(
        {
            "customer_id": ids,
            "registered_on": schemas.dates(epoch, traits.registered),
            "country": schemas.names(COUNTRIES, traits.country),
            "known_at": schemas.delivery_times(epoch, traits.registered),
        },
        # Registrations before the first day come with the history, in the order of the identifiers.
        block.entry,
        None,
    )
    orders, lines = _order_rows(epoch, catalogue, block, traits, events.orders, ids)
    return {
        "customers": customers,
        "orders": orders,
        "order_lines": lines,
        "service_contacts": _service_rows(epoch, block, events, ids),
        "campaign_contacts": _campaign_rows(epoch, first_day, block, events, ids),
    }


def _order_rows(
    epoch: int, catalogue: Catalogue, block: Block, traits: Traits, delivered: DeliveredOrders, ids: Any
) -> tuple[Rows, Rows]:
    orders = delivered.orders
    line_cents = orders.quantity * orders.price_cents
    # Lines are sorted by order and every order has one, so a running sum cut at the starts gives the totals.
    starts = np.flatnonzero(np.diff(orders.order, prepend=-1))
    order_cents = np.add.reduceat(line_cents, starts) if starts.size else np.empty(0, dtype=np.int64)
    number = schemas.code_numbers(block.index, delivered.number)
    header = {
        "order_id": schemas.identifiers("O-", number, 12),
        "customer_id": ids.take(pa.array(orders.customer)),
        "order_ts": schemas.timestamps(epoch, orders.day, orders.second),
        "is_return": pa.array(orders.is_return),
        "channel": schemas.names(CHANNELS, traits.channel[orders.customer]),
        "country": schemas.names(COUNTRIES, traits.country[orders.customer]),
        "known_at": schemas.delivery_times(epoch, delivered.day),
    }
    of_line, product = pa.array(orders.order), pa.array(orders.product)
    lines = {column: values.take(of_line) for column, values in header.items()}
    lines["product_id"] = product_ids(catalogue).take(product)
    lines["description"] = pa.array(catalogue.description).take(product)
    lines["quantity"] = pa.array(orders.quantity)
    lines["unit_price"] = schemas.money(orders.price_cents)
    header["total_order_amount"] = schemas.money(order_cents)
    return Rows(header, delivered.day, order_cents), Rows(lines, delivered.day[orders.order], line_cents)


def _service_rows(epoch: int, block: Block, events: BlockEvents, ids: Any) -> Rows:
    contacts = events.service
    number = schemas.code_numbers(block.index, np.arange(contacts.day.size))
    return Rows(
        {
            "contact_id": schemas.identifiers("S-", number, 12),
            "customer_id": ids.take(pa.array(contacts.customer)),
            "contact_ts": schemas.timestamps(epoch, contacts.day, contacts.second),
            "topic": schemas.names(TOPICS, contacts.topic),
            "channel": schemas.names(SERVICE_CHANNELS, contacts.channel),
            "is_resolved": pa.array(contacts.is_resolved),
            "known_at": schemas.delivery_times(epoch, contacts.day),
        },
        contacts.day,
        None,
    )


def _campaign_rows(epoch: int, first_day: date, block: Block, events: BlockEvents, ids: Any) -> Rows:
    # Windows close in the order in which they opened: the closed contacts are the first ones.
    contacts = selected(events.campaigns, np.arange(events.responded.size))
    closed = contacts.day + RESPONSE_WINDOW_DAYS
    months = np.unique(contacts.day)
    campaign = {day: f"K-{first_day + timedelta(days=day):%Y-%m}" for day in months.tolist()}
    return Rows(
        {
            "contact_id": contact_numbers(block, contacts.number),
            "campaign_id": pa.array([campaign[day] for day in contacts.day.tolist()], type=pa.string()),
            "customer_id": ids.take(pa.array(contacts.customer)),
            "contact_ts": schemas.timestamps(epoch, contacts.day, contacts.second),
            "arm": schemas.names(ARMS, contacts.arm),
            "response": pa.array(events.responded),
            "known_at": schemas.delivery_times(epoch, closed),
        },
        closed,
        None,
    )
