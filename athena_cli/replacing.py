"""What a delivery that comes in another one's place means for its home, and for the nights that saw the other one."""

from datetime import UTC, datetime

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.model_spec import model_names
from athena_assets.nights import Night
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import DeliveryKind
from athena_cli.workplace import Workplace
from checks.overrides import end_for_nights
from checks.verdicts import has_gate
from resources.home import read_home
from resources.settings import Settings


def replaced_delivery(landing: Landing, delivery_id: str) -> Delivery:
    """The delivery to replace, also where it has been replaced already; raises `UnknownDelivery`."""
    found = landing.manifests.find(delivery_id)
    return found if isinstance(found, Delivery) else found.delivery


def kind_and_night(night: Night | None, replaced: Delivery | None) -> tuple[DeliveryKind, Night | None]:
    """Kind and night of a delivery: those said, else those of the delivery that it replaces."""
    if night is None and replaced is not None and replaced.kind == "nightly":
        return "nightly", Night(replaced.last_night)
    return ("bulk", None) if night is None else ("nightly", night)


def may_begin_anew(settings: Settings, landing: Landing, kind: DeliveryKind, replaced: Delivery | None) -> bool:
    """Whether the first night of a home that has one may still follow from the history that is now delivered.

    It may where the history comes in another one's place, or as the home's only delivery, and no night has been landed:
    a night that has its rows stays the first.
    """
    record = read_home(settings.home)
    if record is None or kind != "bulk" or (replaced is None and landing.deliveries(record.source)):
        return False
    ask = Workplace(settings).ask
    return not (ask("SELECT 1 FROM orders.accounting LIMIT 1") or ask("SELECT 1 FROM raw.order_lines LIMIT 1"))


def end_overrides(settings: Settings, delivery: Delivery, by: str) -> list[str]:
    """End the overrides of a delivery's nights and months, and of the history where it was the history.

    Their rows are gone with it. Returns what was ended, in words.
    """
    if not settings.warehouse_path.exists():
        return []
    now = datetime.now(UTC).replace(tzinfo=None)
    first, last = delivery.first_night.isoformat(), delivery.last_night.isoformat()
    with Workplace(settings).warehouse.write() as connection:
        if not has_gate(connection):
            return []
        bulk, models = delivery.kind == "bulk", model_names()
        ended = end_for_nights(connection, first, last, bulk=bulk, monthly=models, person=by, at=now)
    return [f"override {each.id} of {each.asset} is over: the rows it was granted for are replaced" for each in ended]


def nights_outdated(settings: Settings) -> dict[str, bool]:
    """Nights that saw other deliveries than count now, and whether each was published; none where nobody can say.

    A night is running, or there is no warehouse: the nights tell by themselves once they are run.
    """
    try:
        return Workplace(settings).outdated_nights()
    except AthenaError:
        return {}


def next_commands(settings: Settings, delivery: Delivery, *, withdrawn: bool = False) -> str:
    """What brings the home up to date with a delivery that came, or with one that was taken back, as one line of shell.

    withdrawn: it was taken back; FILES are the corrected ones in its place.
    """
    outdated = nights_outdated(settings)
    commands = [f"athena night {night}{' --current' if published else ''}" for night, published in outdated.items()]
    if delivery.kind == "bulk":
        load, own = "athena load FILES", [f"athena run --source {delivery.source}"]
    else:
        is_outdated = delivery.last_night.isoformat() in outdated
        load = f"athena load --night {delivery.last_night} FILES"
        own = [] if is_outdated else [f"athena night {delivery.last_night}"]
    return " && ".join([*([load] if withdrawn else []), *own, *commands])
