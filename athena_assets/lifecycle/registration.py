"""What stands before registration beside the gate: the very artifact at hand is the one that was judged.

The gate asks whether the month's evaluation passed. It cannot see files: a killed training may leave an artifact that
the warehouse has never heard of.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.artifact import Artifact, load_artifact
from athena_assets.lifecycle.training_run import ARTIFACT

if TYPE_CHECKING:
    import duckdb


class NotJudged(AthenaError):
    """The artifact at hand is not the one that was judged."""


def judged_artifact(connection: "duckdb.DuckDBPyConnection", trained: str, folder: Path, month: str) -> Artifact:
    """The artifact in `folder`; raises `NotJudged` unless it is the month's.

    trained: address of the model's table of trainings. month: `YYYY-MM-01`.
    """
    artifact = load_artifact(folder / ARTIFACT)
    recorded = connection.execute(
        f"SELECT artifact_hash FROM {trained} WHERE month = CAST($month AS DATE)", {"month": month}
    ).fetchall()
    if recorded != [(artifact.version,)]:
        raise NotJudged(
            f"the artifact of {month[:7]} is not the one that {trained} describes",
            expected=str(recorded[0][0]) if recorded else "a training of that month",
            found=artifact.version,
            next_command=f"athena train --month {month[:7]}",
        )
    return artifact


def refuse_other(registered: Path, judged: Artifact, month: str) -> None:
    """Raise `NotJudged` unless what was registered, in its own folder, is what was judged.

    The candidate's folder may be written again while it is being copied into the registry.
    """
    found = load_artifact(registered).version
    if found != judged.version:
        raise NotJudged(
            f"the artifact of {month[:7]} was written again while it was being registered",
            expected=judged.version,
            found=f"{found}, which stays in development",
            next_command=f"athena train --month {month[:7]}",
        )
