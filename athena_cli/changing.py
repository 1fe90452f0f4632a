"""The commands that change something: which partition each line of them is about, and what its success mends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from athena_assets.errors import AthenaError, InvalidArgument
from athena_assets.monitoring.why import DOCTOR
from athena_assets.nights import Night
from athena_assets.sources.landing import Landing
from athena_cli.replacing import replaced_delivery
from cost.period import Month
from resources.settings import load_settings

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class ChangingCommand:
    """One command that changes something: what a failure of it concerns, and what a success of it mends."""

    name: str
    partition_of: Callable[[Arguments], str] = lambda arguments: ""
    """The partition that the command line names, as Dagster's key; '' where it names none. Raises `InvalidArgument`."""
    mends: tuple[str, ...] = ()
    """Other commands whose failures on the same partition are over when this one succeeds."""
    mends_all: bool = False
    """Whether success mends them on every partition."""


def _night_of_load(arguments: Arguments) -> str:
    """The night that a delivery is said to be of, else that of the delivery which it replaces; '' for a bulk file."""
    said, replaces = arguments.get("night"), arguments.get("replaces")
    if said:
        return Night.parse(said).key
    if replaces is None:
        return ""
    try:
        replaced = replaced_delivery(Landing.of(load_settings().home), replaces)
    except AthenaError:
        return ""
    return str(replaced.last_night) if replaced.kind == "nightly" else ""


def _month_of_training(arguments: Arguments) -> str:
    month = arguments.get("month")
    return f"{Month.parse(month).key}-01" if month else ""


def _checked(arguments: Arguments) -> str:
    """What is typed wrongly, the command itself refuses, and says which partitions there are."""
    try:
        return Night.parse(arguments.get("partition") or "").key
    except InvalidArgument:
        return ""


RUN = ChangingCommand("athena run", mends=("athena night", "athena train"), mends_all=True)
LOAD = ChangingCommand("athena load", _night_of_load)
NIGHT = ChangingCommand(
    "athena night", lambda arguments: Night.parse(arguments["day"]).key, mends=("athena load", DOCTOR)
)
TRAIN = ChangingCommand("athena train", _month_of_training)
CHECK = ChangingCommand("athena check", _checked)
WITHDRAW = ChangingCommand("athena withdraw")
