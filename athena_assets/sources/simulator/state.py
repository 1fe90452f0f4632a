"""The changing state of a block of customers, and the rules of a day."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from athena_assets.sources.simulator.baskets import opening_seconds
from athena_assets.sources.simulator.contacts import (
    COMPLAINT_LAG_DAYS,
    COMPLAINT_TOPIC_SHARE,
    HOLDOUT,
    QUESTION,
    RESPONSE_WINDOW_DAYS,
    SERVICE_CHANNELS,
    CampaignContacts,
    ServiceContacts,
)
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import BASE_ENTRY, DROPOUT_LIFT, PURCHASE_LIFT, Block, Traits
from athena_assets.sources.simulator.probabilities import HiddenState, no_purchase_probability
from athena_assets.sources.simulator.season import RetailCalendar

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

NEVER = np.iinfo(np.int64).max
LONG_AGO = -(10**6)
RESOLVED_GRIEVANCE = 0.3
"""Weight of a complaint that was resolved, an unresolved one being 1."""
CAMPAIGN_RECENCY_DAYS = 365
"""Campaigns go to customers with an order in so many days; the base counts as having bought just before."""


@dataclass(frozen=True)
class Snapshot:
    """Truth at the start of simulation day `day`, for the first `probability.size` customers of the block."""

    day: int
    is_customer: npt.NDArray[np.bool_]
    grievance: FloatArray
    churn_probability: FloatArray


@dataclass
class BlockState:
    """What changes about the customers of a block, one entry each, and the rules by which it does.

    Day arguments are simulation days; customer arguments index the block. `rate` is the rate of purchases a day
    before season and campaign, `joining` all customers in the order in which they join the loyalty scheme.
    """

    parameters: SimulatorParameters
    calendar: RetailCalendar
    traits: Traits
    decay: float
    rate: FloatArray
    joining: IntArray
    last_purchase: IntArray
    contacted: IntArray
    dropped_out: IntArray
    grievance: FloatArray
    purchase_lift: FloatArray
    dropout_lift: FloatArray
    complaints_due: dict[int, list[IntArray]] = field(default_factory=dict)
    campaigns: dict[int, CampaignContacts] = field(default_factory=dict)
    responses: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    contacts_made: int = 0

    @classmethod
    def at_start(
        cls, parameters: SimulatorParameters, calendar: RetailCalendar, traits: Traits, block: Block
    ) -> "BlockState":
        """Nobody has left, nobody has a grievance; the base counts as having bought just before."""
        size = block.entry.size
        is_member = traits.loyal_from < 0
        return cls(
            parameters=parameters,
            calendar=calendar,
            traits=traits,
            decay=parameters.grievance_decay,
            rate=traits.purchase_rate * np.where(is_member, parameters.loyalty_purchase_lift, 1.0),
            joining=np.argsort(traits.loyal_from, kind="stable"),
            last_purchase=np.where(block.entry == BASE_ENTRY, BASE_ENTRY, LONG_AGO),
            contacted=np.full(size, LONG_AGO),
            dropped_out=np.full(size, NEVER),
            grievance=np.zeros(size),
            purchase_lift=np.ones(size),
            dropout_lift=np.ones(size),
        )

    def snapshot(self, day: int, present: int) -> Snapshot:
        """The truth about the first `present` customers at the start of `day`."""
        is_customer = self.dropped_out[:present] == NEVER
        probability = np.ones(present)
        customers = np.flatnonzero(is_customer)
        state = HiddenState(
            purchase_rate=self.rate[customers],
            dropout_rate=self.traits.dropout_rate[customers],
            season_kind=self.traits.season_kind[customers],
            grievance=self.grievance[customers],
            purchase_lift=self.purchase_lift[customers],
            dropout_lift=self.dropout_lift[customers],
            lifted_until=self.contacted[customers] + RESPONSE_WINDOW_DAYS,
        )
        probability[customers] = no_purchase_probability(
            state,
            self.calendar.demand,
            first_day=np.full(customers.size, day),
            days=self.parameters.churn_horizon_days,
            grievance_hazard=self.parameters.grievance_hazard,
            grievance_decay=self.decay,
        )
        return Snapshot(day, is_customer, self.grievance[:present].copy(), probability)

    def join_loyalty_scheme(self, day: int) -> None:
        """Those whose day it is buy more often from today on."""
        low, high = np.searchsorted(self.traits.loyal_from, [day, day + 1], sorter=self.joining)
        self.rate[self.joining[low:high]] *= self.parameters.loyalty_purchase_lift

    def buyers(self, rng: np.random.Generator, active: IntArray, day: int, arrivals: int) -> IntArray:
        """Those among `active` who order today; the last `arrivals` of them register with an order."""
        rate = self.rate[active] * self.purchase_lift[active]
        rate *= self.calendar.demand[self.traits.season_kind[active], day]
        # An exponential variate below the rate is an event with probability 1 - exp(-rate).
        buys = rng.standard_exponential(active.size) < rate
        buys[active.size - arrivals :] = True
        buyers = active[buys]
        self.last_purchase[buyers] = day
        return buyers

    def service_contacts(self, rng: np.random.Generator, day: int, buyers: IntArray) -> ServiceContacts:
        """Complaints that fall due today and questions of today's buyers; complaints leave a grievance."""
        complaining = buyers[rng.random(buyers.size) < self.parameters.complaint_rate]
        lag = rng.integers(COMPLAINT_LAG_DAYS[0], COMPLAINT_LAG_DAYS[1] + 1, complaining.size)
        for days in np.unique(lag).tolist():
            self.complaints_due.setdefault(day + days, []).append(complaining[lag == days])
        asking = buyers[rng.random(buyers.size) < self.parameters.question_rate]
        due = np.concatenate([np.empty(0, dtype=np.int64), *self.complaints_due.pop(day, [])])
        size = due.size + asking.size
        resolved = rng.random(size) < self.parameters.resolution_rate
        weight = np.where(resolved[: due.size], RESOLVED_GRIEVANCE, 1.0)
        np.add.at(self.grievance, due, weight)
        topic = np.full(size, QUESTION)
        topic[: due.size] = np.searchsorted(np.cumsum(COMPLAINT_TOPIC_SHARE)[:-1], rng.random(due.size))
        return ServiceContacts(
            day=np.full(size, day),
            second=opening_seconds(rng, size),
            customer=np.concatenate([due, asking]),
            topic=topic,
            channel=rng.integers(0, len(SERVICE_CHANNELS), size),
            is_resolved=resolved,
        )

    def leavers(self, rng: np.random.Generator, active: IntArray, day: int) -> npt.NDArray[np.bool_]:
        """A mask over `active`: who leaves for good at the end of the day."""
        hazard = self.traits.dropout_rate[active] * self.dropout_lift[active]
        hazard *= 1 + self.parameters.grievance_hazard * self.grievance[active]
        leaves = rng.standard_exponential(active.size) < hazard
        self.dropped_out[active[leaves]] = day
        return leaves

    def close_campaign(self, day: int) -> None:
        """End the windows whose last day is `day`: note the responses, take the lifts away."""
        contacts = self.campaigns.get(day - RESPONSE_WINDOW_DAYS)
        if contacts is not None:
            self.responses.append(self.last_purchase[contacts.customer] > contacts.day)
            self.purchase_lift[contacts.customer] = 1.0
            self.dropout_lift[contacts.customer] = 1.0

    def open_campaign(self, rng: np.random.Generator, day: int, present: int) -> None:
        """Assign a uniform sample of eligible customers to the arms; lifts act from tomorrow."""
        drawn = rng.binomial(present, self.parameters.campaign_reach_per_day)
        sample = np.unique(rng.integers(0, present, drawn)) if present else np.empty(0, dtype=np.int64)
        eligible = (self.last_purchase[sample] > day - CAMPAIGN_RECENCY_DAYS) & (
            self.contacted[sample] <= day - self.parameters.campaign_gap_days
        )
        customers = sample[eligible]
        arm = (rng.random(customers.size) < self.parameters.holdout_share).astype(np.int64)
        self.contacted[customers] = day
        segment = self.traits.segment[customers]
        is_treated = arm != HOLDOUT
        self.purchase_lift[customers] = np.where(is_treated, PURCHASE_LIFT[segment], 1.0)
        self.dropout_lift[customers] = np.where(is_treated, DROPOUT_LIFT[segment], 1.0)
        self.campaigns[day] = CampaignContacts(
            number=self.contacts_made + np.arange(customers.size),
            day=np.full(customers.size, day),
            second=opening_seconds(rng, customers.size),
            customer=customers,
            arm=arm,
            was_customer=self.dropped_out[customers] == NEVER,
            grievance=self.grievance[customers],
            purchase_rate=self.rate[customers],
        )
        self.contacts_made += customers.size
