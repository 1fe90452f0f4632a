"""What the machine, its disk and its clock do to a night, and what people do to a home's files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.faults.corpus import disk
from tests.faults.corpus.fault import Fault, Scene, night_as_usual, nothing_to_mend

if TYPE_CHECKING:
    from tests.conftest import Answer

KIND = "environment"
REPOSITORY = Path(__file__).resolve().parents[3]
MODEL = ("registry", "models", "churn", "1")
PUBLISHED = ("published", "predictions", "churn")


def _first(spoil: Callable[[Scene], None]) -> Callable[[Scene], "Answer"]:
    """Spoils the home, then delivers and runs the night as usual."""

    def provoke(scene: Scene) -> "Answer":
        spoil(scene)
        return night_as_usual(scene)

    return provoke


def _between(spoil: Callable[[Scene], None]) -> Callable[[Scene], "Answer"]:
    """Spoils the home after the delivery was registered and before the night runs."""

    def provoke(scene: Scene) -> "Answer":
        loaded = scene.athena("load", "--night", scene.night, scene.delivered())
        assert loaded.code == 0, loaded.err
        spoil(scene)
        return scene.athena("night", scene.night)

    return provoke


def _looked_at_after(spoil: Callable[[Scene], None]) -> Callable[[Scene], "Answer"]:
    """Spoils the home when the night has been published; `athena doctor` looks at it, as it does every morning."""

    def provoke(scene: Scene) -> "Answer":
        night = night_as_usual(scene)
        assert night.code == 0, night.err
        spoil(scene)
        return scene.athena("doctor")

    return provoke


def _flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _last_manifest(scene: Scene) -> Path:
    return sorted((scene.home / "landing" / "deliveries").glob("*.json"))[-1]


def _set_aside(path: Path) -> None:
    """Keep a backup of a file and cut the file itself in half."""
    path.with_suffix(".backup").write_bytes(path.read_bytes())
    _cut_in_half(path)


def _back_again(path: Path) -> None:
    path.with_suffix(".backup").replace(path)


def _lost(*parts: str) -> Callable[[Scene], None]:
    def spoil(scene: Scene) -> None:
        place = scene.home.joinpath(*parts)
        place.rename(place.with_name(f"{place.name}.lost"))

    return spoil


def _back(*parts: str) -> Callable[[Scene], None]:
    """From the backup, which is the template."""
    return lambda scene: scene.restored(".athena", *parts)


def _night_before(scene: Scene) -> str:
    return str((datetime.fromisoformat(scene.night) - timedelta(days=1)).date())


def _half_a_partition(scene: Scene) -> None:
    """Half of last night's clean orders vanish from the warehouse, as if a transaction had not been one."""
    with duckdb.connect(str(scene.home / "warehouse.duckdb")) as connection:
        connection.execute(
            "DELETE FROM orders.orders WHERE night = CAST($night AS DATE) AND hash(order_id) % 2 = 0",
            {"night": _night_before(scene)},
        )


def _while_locked(scene: Scene) -> "Answer":
    """Another process holds the warehouse for longer than the night waits."""
    from resources import steps

    loaded = scene.athena("load", "--night", scene.night, scene.delivered())
    assert loaded.code == 0, loaded.err
    script = (
        f"import duckdb, sys; held = duckdb.connect({str(scene.home / 'warehouse.duckdb')!r});"
        " print('held', flush=True); sys.stdin.read(); held.close()"
    )
    with (
        subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder,
        pytest.MonkeyPatch.context() as patch,
    ):
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        # The same retries in a tenth of the time.
        patch.setenv("ATHENA_LOCK_WAIT_SECONDS", "0.1")
        patch.setattr(steps, "FIRST_WAIT_SECONDS", 0.05)
        answer = scene.athena("night", scene.night)
        holder.stdin.close()
    return answer


def _with_little_memory(scene: Scene) -> "Answer":
    loaded = scene.athena("load", "--night", scene.night, scene.delivered())
    assert loaded.code == 0, loaded.err
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATHENA_MEMORY_LIMIT", "1MB")
        return scene.athena("night", scene.night)


def _with_the_clock_back(scene: Scene) -> "Answer":
    """The machine woke up with its clock a day before the night ended."""
    from athena_cli.clock import showing

    with showing(datetime.fromisoformat(scene.night) + timedelta(hours=3)):
        return night_as_usual(scene)


def _twice_at_once(scene: Scene) -> "Answer":
    """The schedule and an engineer start the same night in the same second."""
    from tests.conftest import Answer

    loaded = scene.athena("load", "--night", scene.night, scene.delivered())
    assert loaded.code == 0, loaded.err
    command = [sys.executable, "-m", "athena_cli", "night", scene.night]
    environment = {**os.environ, "ATHENA_HOME": str(scene.home), "PYTHONPATH": str(REPOSITORY)}
    both = [
        subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [each.communicate() for each in both]
    codes = [each.returncode for each in both]
    return Answer(min(codes), "".join(out for out, _ in said), "".join(err for _, err in said))


def _killed_everywhere(scene: Scene) -> "Answer":
    """SIGKILL behind every commit and on both sides of every rename, the night started again each time."""
    from tests.conftest import Answer

    loaded = scene.athena("load", "--night", scene.night, scene.delivered())
    assert loaded.code == 0, loaded.err
    program = Path(__file__).parent / "killing.py"
    told = subprocess.run(
        [sys.executable, program, scene.folder, scene.folder.with_name(f"{scene.folder.name}-copy"), scene.night],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    story = json.loads(told.stdout)
    for kill in story["kills"]:
        for name, digest in kill["visible"].items():
            assert digest in (story["before"].get(name), story["after"][name]), (kill["at"], name)
    # The daemon looks every minute for commands whose process is gone.
    sent = scene.athena("alerts", "send")
    return Answer(-signal.SIGKILL, sent.out, sent.err)


def _with_a_full_disk(scene: Scene) -> "Answer":
    """The disk fills up when the night first commits to the warehouse."""
    from resources import warehouse

    loaded = scene.athena("load", "--night", scene.night, scene.delivered())
    assert loaded.code == 0, loaded.err
    commit = warehouse.commit

    def filling(connection: duckdb.DuckDBPyConnection) -> None:
        warehouse.commit = commit
        disk.fill(scene.folder)
        commit(connection)

    warehouse.commit = filling
    return scene.athena("night", scene.night)


def _with_a_frozen_disk(scene: Scene) -> "Answer":
    """The disk is read-only from the moment at which the delivery was registered."""
    loaded = scene.athena("load", "--night", scene.night, scene.delivered())
    assert loaded.code == 0, loaded.err
    disk.freeze(scene.folder)
    return scene.athena("night", scene.night)


FAULTS = (
    Fault(
        "killed_at_every_boundary",
        KIND,
        "machine",
        "the process is killed behind every commit and around every rename, and started again each time",
        "lines",
        ("CommandKilled",),
        provoke=_killed_everywhere,
        mend=nothing_to_mend,
        mended_by="nothing: the night is run again",
        blocks=False,
    ),
    Fault(
        "disk_full",
        KIND,
        "machine",
        "the disk is full when the night first commits",
        "lines",
        ("DiskFull",),
        provoke=_with_a_full_disk,
        mend=lambda scene: disk.free(scene.folder),
        mended_by="space is freed",
        own_disk=True,
    ),
    Fault(
        "disk_read_only",
        KIND,
        "machine",
        "the kernel made the disk read-only",
        "lines",
        ("RecordsBroken",),
        provoke=_with_a_frozen_disk,
        mend=lambda scene: disk.thaw(scene.folder),
        mended_by="the disk is mounted for writing again",
        own_disk=True,
    ),
    Fault(
        "warehouse_locked",
        KIND,
        "machine",
        "another process holds the warehouse for longer than a night waits",
        "lines",
        ("WarehouseLocked",),
        provoke=_while_locked,
        mend=nothing_to_mend,
        mended_by="the other process ends",
    ),
    Fault(
        "two_nights_at_once",
        KIND,
        "machine",
        "the schedule and an engineer start the same night in the same second",
        "lines",
        (),
        provoke=_twice_at_once,
        races=True,
    ),
    Fault(
        "memory_short",
        KIND,
        "machine",
        "the night may use less memory than it needs",
        "lines",
        ("WarehouseTooSmall",),
        provoke=_with_little_memory,
        mend=nothing_to_mend,
        mended_by="the limit is raised",
    ),
    Fault(
        "clock_jumped_back",
        KIND,
        "delivery",
        "the clock of the machine jumped back behind the end of the night",
        "lines",
        ("ClockBehind",),
        provoke=_with_the_clock_back,
        mend=nothing_to_mend,
        mended_by="the clock is set",
    ),
    Fault(
        "model_file_corrupted",
        KIND,
        "scores",
        "one bit of the champion's model file is another",
        "lines",
        ("ArtifactTampered",),
        provoke=_first(lambda scene: _flip_a_byte(scene.home.joinpath(*MODEL, "model.ubj"))),
        mend=_back(*MODEL),
        mended_by="the file comes back from the backup",
    ),
    Fault(
        "registry_gone",
        KIND,
        "scores",
        "the folder of the registry is gone",
        "lines",
        ("NoChampion",),
        provoke=_first(_lost("registry")),
        mend=nothing_to_mend,
        mended_by="nothing: the champion is trained again on what it was trained on",
    ),
    Fault(
        "warehouse_damaged",
        KIND,
        "machine",
        "the warehouse file is cut in half",
        "lines",
        ("WarehouseCorrupt",),
        provoke=_between(lambda scene: _cut_in_half(scene.home / "warehouse.duckdb")),
        mend=_back("warehouse.duckdb"),
        mended_by="the file comes back from last night's backup",
    ),
    Fault(
        "manifest_damaged",
        KIND,
        "delivery",
        "the manifest of last night's delivery is no longer JSON",
        "lines",
        ("ManifestDamaged",),
        provoke=_first(lambda scene: _set_aside(_last_manifest(scene))),
        mend=lambda scene: _back_again(_last_manifest(scene)),
        mended_by="the file comes back from the backup",
    ),
    Fault(
        "delivered_file_changed",
        KIND,
        "raw",
        "somebody edited the night's file after it was registered",
        "lines",
        ("DeliveryChanged",),
        provoke=_between(
            lambda scene: (scene.delivered() / "order_lines.csv").write_text(
                (scene.delivered() / "order_lines.csv").read_text().replace(",1,", ",2,", 1)
            )
        ),
    ),
    Fault(
        "partition_half_written",
        KIND,
        "clean",
        "half of last night's clean orders are gone from the warehouse",
        "lines",
        ("NightsDamaged",),
        provoke=_first(_half_a_partition),
        mend=nothing_to_mend,
        mended_by="nothing: last night is run again from what was delivered",
    ),
    Fault(
        "published_file_lost",
        KIND,
        "publication",
        "the file that the retention team reads is gone",
        "lines",
        ("PublicationLost",),
        provoke=_looked_at_after(lambda scene: scene.home.joinpath(*PUBLISHED, "latest.parquet").unlink()),
        mend=nothing_to_mend,
        mended_by="nothing: the night is published again",
        blocks=False,
    ),
    Fault(
        "published_file_truncated",
        KIND,
        "publication",
        "half of the night's published file is gone",
        "lines",
        ("PublicationLost",),
        provoke=_looked_at_after(
            lambda scene: _cut_in_half(scene.home.joinpath(*PUBLISHED, f"night={scene.night}", "part-0.parquet"))
        ),
        mend=nothing_to_mend,
        mended_by="nothing: the night is published again",
        blocks=False,
    ),
)
