"""The day loop: what the customers of one block do, all of them at once, day after day."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from athena_assets.sources.simulator.amendments import with_corrections
from athena_assets.sources.simulator.baskets import Orders, day_of_orders
from athena_assets.sources.simulator.catalogue import Catalogue
from athena_assets.sources.simulator.contacts import CampaignContacts, ServiceContacts, joined
from athena_assets.sources.simulator.dispatch import DeliveredOrders, dispatched
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import BASE_ENTRY, Block, Traits
from athena_assets.sources.simulator.season import RetailCalendar
from athena_assets.sources.simulator.state import BlockState, Snapshot
from athena_assets.sources.simulator.streams import Purpose, stream

IntArray = npt.NDArray[np.int64]

SNAPSHOT_MONTHS = (1, 4, 7, 10)
"""Truth is recorded at the start of the first day of these months, and after the last simulated day."""


@dataclass(frozen=True)
class BlockEvents:
    """Everything that happened in a block. `responded[n]` is the response of campaign contact number n, which
    has a meaning only once its window is over; `dropped_out[j]` is a simulation day or `NEVER`."""

    orders: DeliveredOrders
    service: ServiceContacts
    campaigns: CampaignContacts
    responded: npt.NDArray[np.bool_]
    dropped_out: IntArray
    snapshots: list[Snapshot]


def simulate_block(
    parameters: SimulatorParameters,
    calendar: RetailCalendar,
    catalogue: Catalogue,
    block: Block,
    traits: Traits,
) -> BlockEvents:
    """Run a block from the first day to the last night. Deterministic in its arguments; a run over more days
    begins with the same events. `calendar` must reach `churn_horizon_days` past the last simulated day."""
    state = BlockState.at_start(parameters, calendar, traits, block)
    arrived = np.searchsorted(block.entry, np.arange(parameters.days), side="right")
    present = int(np.searchsorted(block.entry, BASE_ENTRY, side="right"))
    active = np.arange(present)
    first = 0 if present else int(block.entry[0])
    orders: list[Orders] = []
    service: list[ServiceContacts] = []
    snapshots: list[Snapshot] = []
    for day in range(first, parameters.days):
        date, month = parameters.day(day), int(calendar.month[day])
        state.join_loyalty_scheme(day)
        if date.day == 1 and month in SNAPSHOT_MONTHS:
            snapshots.append(state.snapshot(day, present))
        rng = stream(parameters.seed, Purpose.DAY, block.index, day)
        arrivals = int(arrived[day]) - present
        active = np.concatenate([active, np.arange(present, present + arrivals)])
        present += arrivals
        buyers = state.buyers(rng, active, day, arrivals)
        orders.append(day_of_orders(rng, parameters, catalogue, traits, day=day, month=month, buyers=buyers))
        service.append(state.service_contacts(rng, day, buyers))
        active = active[~state.leavers(rng, active, day)]
        state.close_campaign(day)
        state.grievance *= state.decay
        state.open_campaign(rng, day, present)
    snapshots.append(state.snapshot(parameters.days, present))
    delivered = dispatched(parameters, block, traits, Orders.joined(orders))
    return BlockEvents(
        orders=with_corrections(parameters, block, delivered) if parameters.correction_share else delivered,
        service=joined(service),
        campaigns=joined(list(state.campaigns.values())),
        responded=np.concatenate([np.empty(0, dtype=np.bool_), *state.responses]),
        dropped_out=state.dropped_out,
        snapshots=snapshots,
    )
