"""What stands before registration, however it is started: the very artifact at hand was judged, and passed every gate.

The gate's checks stop a run; a selection in the UI may leave them out, and a killed training may leave an artifact that
the warehouse has never heard of. So registration asks the warehouse itself.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.artifact import load_artifact
from athena_assets.lifecycle.training_run import ARTIFACT, GATE, PASSED

if TYPE_CHECKING:
    import duckdb


class NotJudged(AthenaError):
    """The artifact at hand is not the one that was judged."""


class RefusedByGate(AthenaError):
    """The gate refused this training: it must not be registered."""


def refuse_unjudged(
    connection: "duckdb.DuckDBPyConnection", trained: str, evaluation: str, folder: Path, month: str
) -> None:
    """Raise `NotJudged` or `RefusedByGate` unless the artifact in `folder` is the month's and every verdict passed.

    trained, evaluation: addresses of the model's tables. month: `YYYY-MM-01`.
    """
    artifact = load_artifact(folder / ARTIFACT)
    of_month = {"month": month}
    recorded = connection.execute(
        f"SELECT artifact_hash FROM {trained} WHERE month = CAST($month AS DATE)", of_month
    ).fetchall()
    if recorded != [(artifact.version,)]:
        raise NotJudged(
            f"the artifact of {month[:7]} is not the one that {trained} describes",
            expected=str(recorded[0][0]) if recorded else "a training of that month",
            found=artifact.version,
            next_command=f"athena train --month {month[:7]}",
        )
    verdicts = connection.execute(
        f"SELECT name, slice, words FROM {evaluation}"
        " WHERE month = CAST($month AS DATE) AND section = $gate ORDER BY name",
        {**of_month, "gate": GATE},
    ).fetchall()
    refused = [f"{name}: {words}" for name, state, words in verdicts if state != PASSED]
    if refused or not verdicts:
        raise RefusedByGate(
            f"the training of {month[:7]} has not passed the gate",
            expected="every verdict passed",
            found="; ".join(refused) or "no verdict",
            next_command="mend data or model, then athena train; the champion stays as it is",
        )
