"""A delivery that is replaced or withdrawn ends the overrides that were granted for what it brought, and no others."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.source import DeliveryKind
from athena_cli.replacing import end_overrides
from checks.overrides import EVERY_CHECK, grant, live
from resources.settings import Settings
from resources.warehouse import Warehouse

SCOPES = {
    "history": ("orders.orders_history", "", ""),
    "bill": ("cost.charge", "", ""),
    "night": ("orders.orders", "2011-11-15", "2011-11-15"),
    "first of the month": ("orders.orders", "2011-11-01", "2011-11-01"),
    "nights": ("orders.orders", "2011-11-10", "2011-11-16"),
    "month": ("churn.training_set", "2011-11-01", "2011-11-01"),
    "months": ("churn.trained", "2011-09-01", "2011-12-01"),
    "other month": ("churn.training_set", "2011-12-01", "2011-12-01"),
}


def delivery(kind: DeliveryKind, first: date, last: date) -> Delivery:
    return Delivery(
        delivery_id="d",
        source="online_retail_ii",
        kind=kind,
        first_night=first,
        last_night=last,
        registered_at=datetime(2011, 12, 1),
        files=(),
    )


@pytest.mark.parametrize(
    ("replaced", "over"),
    [
        (delivery("nightly", date(2011, 11, 15), date(2011, 11, 15)), {"night", "nights", "month", "months"}),
        (delivery("nightly", date(2011, 11, 30), date(2011, 11, 30)), {"month", "months"}),
        (delivery("nightly", date(2011, 10, 31), date(2011, 10, 31)), {"months"}),
        (delivery("bulk", date(2009, 12, 1), date(2011, 8, 31)), {"history"}),
    ],
)
def test_overrides_when_a_delivery_is_replaced_then_those_of_what_it_brought_end(
    replaced: Delivery, over: set[str], tmp_path: Path
) -> None:
    settings, now = Settings(home=tmp_path), datetime.now(UTC).replace(tzinfo=None)
    with Warehouse.of(settings).write() as connection:
        for asset, first, last in SCOPES.values():
            grant(
                connection,
                asset=asset,
                first_partition=first,
                last_partition=last,
                check=EVERY_CHECK,
                person="Ada",
                reason="confirmed",
                at=now - timedelta(minutes=1),
                lasting=timedelta(days=1),
            )
    said = end_overrides(settings, replaced, "athena load --replaces")
    with Warehouse.of(settings).read() as connection:
        left = {(each.asset, each.first_partition, each.last_partition) for each in live(connection, at=now)}
    assert {name for name, scope in SCOPES.items() if scope not in left} == over
    assert len(said) == len(over)
