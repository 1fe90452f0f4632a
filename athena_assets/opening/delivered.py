"""Whether a night can be run at all: it lies after the history, and it has been delivered."""

from collections.abc import Sequence
from datetime import datetime

from athena_assets.errors import InvalidArgument
from athena_assets.nights import Night
from athena_assets.retailer import Retailer
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.errors import NightNotDelivered


def refuse_impossible(retailer: Retailer, deliveries: Sequence[Delivery], night: Night, *, now: datetime) -> None:
    """Refuse a night in the history or still to come (`InvalidArgument`), or not delivered (`NightNotDelivered`).

    deliveries: all of the retailer's that are registered. now: on the retailer's wall.
    """
    refuse_history(retailer, night)
    last = retailer.last_delivered
    if last is None or night > last:
        # A night that is over should have been delivered, and its owner is told; one to come is a slip of the pen.
        over = night.as_of <= now
        raise (NightNotDelivered if over else InvalidArgument)(
            f"the night {night.key} has not been delivered",
            expected=f"a night up to {last.key}" if last is not None else "a delivery",
            found=night.key,
            next_command=f"athena load --night {night.key} FILES",
        )
    if not any(delivery.covers(night.day) for delivery in deliveries):
        raise NightNotDelivered(
            f"the night {night.key} has not been delivered, though later ones have",
            expected=f"a delivery that covers {night.key}",
            found="none",
            next_command=f"athena load --night {night.key} FILES (a file with a header alone, if nothing was sold)",
        )


def refuse_history(retailer: Retailer, night: Night) -> None:
    """Refuse a night before the first: it is part of the bulk history; raises `InvalidArgument`."""
    if night < retailer.first_night:
        raise InvalidArgument(
            f"the night {night.key} lies in the bulk history",
            expected=f"a night from {retailer.first_night.key} on",
            found=night.key,
            next_command=f"athena features --customer ID --as-of {night.plus(1).key} answers for any day of it",
        )
