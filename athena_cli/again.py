"""The line that goes on from a refused delivery once its cause is mended: the real paths, and the night."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from athena_assets.errors import AthenaError
from athena_assets.nights import Night
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.errors import AlreadyDelivered
from athena_assets.sources.landing import Landing
from athena_assets.wording import shell_word
from resources.settings import Settings


def line_after_refusal(settings: Settings, error: AthenaError, arguments: Mapping[str, Any]) -> str:
    """`athena load ... && athena night ...` for a refused `athena load`, as one types it.

    A night that was delivered already with other content is replaced by what came now: that it is better is for the
    person to say who runs the line.
    """
    files = [str(Path(path).resolve()) for path in arguments["files"]]
    shown = " ".join(map(shell_word, files))
    night = _night(arguments)
    standing = delivery_of_refusal(settings, error)
    if night is None:
        source = f" --source {shell_word(arguments['source'])}" if arguments.get("source") else ""
        return f"athena load{source} {shown}"
    if standing is not None and standing.covers(night.day):
        return f"{standing.replacing_command(files)} && athena night {night.key} --current"
    return f"athena load --night {night.key} {shown} && athena night {night.key}"


def is_the_same_again(settings: Settings, error: Exception, arguments: Mapping[str, Any]) -> bool:
    """Whether the night was delivered with just this content: a command repeated, and no fault of anybody."""
    night, standing = _night(arguments), delivery_of_refusal(settings, error)
    if standing is None or night is None or not standing.covers(night.day):
        return False
    return isinstance(error, AlreadyDelivered) and error.same_content


def delivery_of_refusal(settings: Settings, error: Exception) -> Delivery | None:
    """The earlier delivery that stands in the way of a refused one."""
    if not isinstance(error, AlreadyDelivered):
        return None
    try:
        deliveries = Landing.of(settings.home).deliveries()
    except AthenaError:
        return None
    return next((each for each in deliveries if each.delivery_id == error.delivery_id), None)


def _night(arguments: Mapping[str, Any]) -> Night | None:
    try:
        return Night.parse(arguments["night"]) if arguments.get("night") else None
    except AthenaError:
        return None
