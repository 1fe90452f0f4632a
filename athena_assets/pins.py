"""What a night used, written down before it is used; a rerun of the night uses the same.

Subjects are `source_snapshot`, `feature_set`, `contracts` and `model:<name>`. The first run of a night pins what is
current; later runs keep the pins unless they are told to use what is current now.
"""

from collections.abc import Iterable, Mapping

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.nights import Night
from athena_assets.sql import has_table

SOURCE_SNAPSHOT = "source_snapshot"
FEATURE_SET = "feature_set"
CONTRACTS = "contracts"

USE_CURRENT = "athena/current"
"""Run tag of `athena night --current`: make the night anew with what is current now."""


class NightNotOpened(AthenaError):
    """A night's asset was asked for before the night was opened."""


class PinMismatch(AthenaError):
    """The code or the sources at hand are not those that the night was run with."""


def model_subject(model: str) -> str:
    """The subject under which a night pins a model's version."""
    return f"model:{model}"


def pins_to_write(pinned: Mapping[str, str], current: Mapping[str, str], *, use_current: bool) -> dict[str, str]:
    """The pins a run leaves behind: those there are, completed by the current ones; all current if told so."""
    return dict(current) if use_current else {**current, **pinned}


def pins_of_run(
    connection: duckdb.DuckDBPyConnection,
    night: Night,
    current: Mapping[str, str],
    *,
    models: Iterable[str],
    use_current: bool,
) -> dict[str, str]:
    """What a run of the night would pin, given what is current and whether it was told to use that.

    Pins bind what was published; a night that never got that far is opened anew. Raises `PinMismatch` for a published
    night whose orders are others today.
    """
    pinned = read_pins(connection, night, missing_ok=True) if has_table(connection, "ops.night_pins") else {}
    use_current = use_current or not all(was_published(connection, model, night) for model in models)
    if pinned and not use_current:
        # A delivery that came since and reaches back would give the night other orders under its old name.
        need_pin(pinned, SOURCE_SNAPSHOT, current[SOURCE_SNAPSHOT], night)
    return pins_to_write(pinned, current, use_current=use_current)


def read_pins(connection: duckdb.DuckDBPyConnection, night: Night, *, missing_ok: bool = False) -> dict[str, str]:
    """All pins of a night; where it has none an empty dict if `missing_ok`, else raises `NightNotOpened`."""
    rows = connection.execute(
        "SELECT subject, version FROM ops.night_pins WHERE night = $night ORDER BY subject",
        {"night": night.day},
    ).fetchall()
    if not rows and not missing_ok:
        raise NightNotOpened(
            f"the night {night.key} has not been opened",
            expected="its pins in ops.night_pins",
            found="none",
            next_command=f"athena night {night.key}",
        )
    return {str(subject): str(version) for subject, version in rows}


def pinned_snapshots(connection: duckdb.DuckDBPyConnection) -> list[tuple[Night, str]]:
    """The source snapshot of every night that has been opened."""
    if not has_table(connection, "ops.night_pins"):
        return []
    rows = connection.execute(
        "SELECT night, version FROM ops.night_pins WHERE subject = $subject", {"subject": SOURCE_SNAPSHOT}
    ).fetchall()
    return [(Night(night), str(version)) for night, version in rows]


def was_published(connection: duckdb.DuckDBPyConnection, model: str, night: Night) -> bool:
    """Whether the model's predictions of the night have been published."""
    if not has_table(connection, f"predictions.{model}"):
        return False
    ((rows,),) = connection.execute(
        f"SELECT count(*) FROM predictions.{model} WHERE night = $night", {"night": night.day}
    ).fetchall()
    return bool(rows)


def refuse_other_deliveries(
    connection: duckdb.DuckDBPyConnection, night: Night, *, models: Iterable[str], snapshot: str
) -> None:
    """Refuse to make a published night from other deliveries than it was published from; raises `PinMismatch`."""
    if all(was_published(connection, model, night) for model in models):
        need_pin(read_pins(connection, night), SOURCE_SNAPSHOT, snapshot, night)


def need_pin(pins: Mapping[str, str], subject: str, current: str, night: Night) -> None:
    """Refuse to go on when what is at hand is not what the night pinned; raises `PinMismatch`."""
    pinned = pins.get(subject)
    if pinned != current:
        raise PinMismatch(
            f"the night {night.key} was run with another {subject.replace('_', ' ')}",
            expected=str(pinned),
            found=current,
            next_command=f"athena night {night.key} --current to make it anew with what is current now",
        )
