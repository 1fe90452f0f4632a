"""The hidden truth of a block as tables. It is written where no delivery is, and no pipeline code reads it."""

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from athena_assets.sources.simulator import schemas
from athena_assets.sources.simulator.behaviour import BlockEvents
from athena_assets.sources.simulator.catalogue import NOT_RETIRED, Catalogue
from athena_assets.sources.simulator.contacts import RESPONSE_WINDOW_DAYS, CampaignContacts
from athena_assets.sources.simulator.deliveries import contact_numbers, customer_ids, product_ids
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import (
    BOT,
    DAYS_PER_YEAR,
    DROPOUT_LIFT,
    PURCHASE_LIFT,
    SEGMENTS,
    STAFF,
    Block,
    Traits,
)
from athena_assets.sources.simulator.probabilities import HiddenState, no_purchase_probability
from athena_assets.sources.simulator.season import GIFT_SHOPPER, RetailCalendar
from athena_assets.sources.simulator.state import NEVER

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_EPOCH = date(1970, 1, 1)

TABLES: dict[str, Any] = {
    "customers": pa.schema(
        [
            ("customer_id", pa.string()),
            ("segment", pa.string()),
            ("is_staff", pa.bool_()),
            ("is_bot", pa.bool_()),
            ("loyal_from", pa.date32()),
            ("is_gift_shopper", pa.bool_()),
            ("purchases_per_year", pa.float64()),
            ("dropouts_per_year", pa.float64()),
            ("dropped_out_on", pa.date32()),
            ("true_uplift", pa.float64()),
        ]
    ),
    "snapshots": pa.schema(
        [
            ("as_of", pa.date32()),
            ("customer_id", pa.string()),
            ("is_customer", pa.bool_()),
            ("grievance", pa.float64()),
            ("churn_probability", pa.float64()),
        ]
    ),
    "campaign_contacts": pa.schema(
        [
            ("contact_id", pa.string()),
            ("was_customer", pa.bool_()),
            ("probability_if_treated", pa.float64()),
            ("probability_if_held_out", pa.float64()),
        ]
    ),
}
"""customers: rates before season, loyalty scheme, grievance and campaigns; `dropped_out_on` is the last day as a
customer, NULL if still one at the end; `loyal_from` the day of joining the scheme, NULL if not a member by then;
`true_uplift` the gain in response probability from a treatment in an average season, without grievance and
membership, while a customer. snapshots: at 00:00 of `as_of`, every registered customer; the probability of
no order within `churn_horizon_days` given the hidden state, 1 for those who have left, without complaints, campaigns
and memberships still to come. campaign_contacts: every assignment, also those whose window is open."""

PRODUCTS: Any = pa.schema(
    [
        ("product_id", pa.string()),
        ("born_on", pa.date32()),
        ("retired_on", pa.date32()),
        ("popularity", pa.float64()),
    ]
)
"""products: `retired_on` is the first day on which it is not sold any more, also where that day is still to come, NULL
if it never comes; `popularity` that of its best days."""


def block_truth(
    parameters: SimulatorParameters,
    calendar: RetailCalendar,
    block: Block,
    traits: Traits,
    events: BlockEvents,
) -> dict[str, Any]:
    """The three truth tables of one block, in the schemas of `TABLES`."""
    epoch = (parameters.first_day - _EPOCH).days
    ids = customer_ids(block)
    customers = {
        "customer_id": ids,
        "segment": schemas.names(tuple(segment.name for segment in SEGMENTS), traits.segment),
        "is_staff": traits.account == STAFF,
        "is_bot": traits.account == BOT,
        "loyal_from": _days(epoch, traits.loyal_from, traits.loyal_from < parameters.days),
        "is_gift_shopper": traits.season_kind == GIFT_SHOPPER,
        "purchases_per_year": traits.purchase_rate * DAYS_PER_YEAR,
        "dropouts_per_year": traits.dropout_rate * DAYS_PER_YEAR,
        "dropped_out_on": _days(epoch, events.dropped_out, events.dropped_out != NEVER),
        "true_uplift": _uplift(traits),
    }
    snapshots = [
        pa.table(
            {
                "as_of": schemas.dates(epoch, np.full(snapshot.is_customer.size, snapshot.day)),
                "customer_id": ids[: snapshot.is_customer.size],
                "is_customer": snapshot.is_customer,
                "grievance": snapshot.grievance,
                "churn_probability": snapshot.churn_probability,
            },
            schema=TABLES["snapshots"],
        )
        for snapshot in events.snapshots
    ]
    treated, held_out = _response_probabilities(parameters, calendar, traits, events.campaigns)
    contacts = {
        "contact_id": contact_numbers(block, events.campaigns.number),
        "was_customer": events.campaigns.was_customer,
        "probability_if_treated": treated,
        "probability_if_held_out": held_out,
    }
    return {
        "customers": pa.table(customers, schema=TABLES["customers"]),
        "snapshots": pa.concat_tables(snapshots),
        "campaign_contacts": pa.table(contacts, schema=TABLES["campaign_contacts"]),
    }


def product_truth(parameters: SimulatorParameters, catalogue: Catalogue) -> Any:
    """The life of every product, in the schema `PRODUCTS`."""
    epoch = (parameters.first_day - _EPOCH).days
    return pa.table(
        {
            "product_id": product_ids(catalogue),
            "born_on": schemas.dates(epoch, catalogue.born),
            "retired_on": _days(epoch, catalogue.retired, catalogue.retired != NOT_RETIRED),
            "popularity": catalogue.popularity,
        },
        schema=PRODUCTS,
    )


def _days(epoch: int, day: IntArray, is_known: npt.NDArray[np.bool_]) -> Any:
    """DATE from simulation days, NULL where it is not known."""
    return pa.array((epoch + np.where(is_known, day, 0)).astype(np.int32), type=pa.date32(), mask=~is_known)


def _uplift(traits: Traits) -> FloatArray:
    """Response probability of the treated less that of the held out, on days of season one."""
    size = traits.segment.size
    calm, start = np.zeros(size), np.zeros(size, dtype=np.int64)
    average_season = np.ones((2, RESPONSE_WINDOW_DAYS))
    treated, held_out = (
        1
        - no_purchase_probability(
            _after_contact(traits, np.arange(size), traits.purchase_rate, calm, lifted_until=until),
            average_season,
            first_day=start,
            days=RESPONSE_WINDOW_DAYS,
            grievance_hazard=0.0,
            grievance_decay=1.0,
        )
        for until in (start + RESPONSE_WINDOW_DAYS, start - 1)
    )
    return treated - held_out


def _response_probabilities(
    parameters: SimulatorParameters, calendar: RetailCalendar, traits: Traits, contacts: CampaignContacts
) -> tuple[FloatArray, FloatArray]:
    """Of each contact, if treated and if held out; zero for those who had left."""
    treated, held_out = (
        np.where(
            contacts.was_customer,
            1
            - no_purchase_probability(
                _after_contact(
                    traits, contacts.customer, contacts.purchase_rate, contacts.grievance, lifted_until=until
                ),
                calendar.demand,
                first_day=contacts.day + 1,
                days=RESPONSE_WINDOW_DAYS,
                grievance_hazard=parameters.grievance_hazard,
                grievance_decay=parameters.grievance_decay,
            ),
            0.0,
        )
        for until in (contacts.day + RESPONSE_WINDOW_DAYS, contacts.day)
    )
    return treated, held_out


def _after_contact(
    traits: Traits, customers: IntArray, rate: FloatArray, grievance: FloatArray, *, lifted_until: IntArray
) -> HiddenState:
    segment = traits.segment[customers]
    return HiddenState(
        purchase_rate=rate,
        dropout_rate=traits.dropout_rate[customers],
        season_kind=traits.season_kind[customers],
        grievance=grievance,
        purchase_lift=PURCHASE_LIFT[segment],
        dropout_lift=DROPOUT_LIFT[segment],
        lifted_until=lifted_until,
    )
