"""The registry against a real MLflow: versions, stages, roll-back, and what a crash or a hand in the files leaves."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from athena_assets.errors import AthenaError, InvalidArgument
from resources.registry import (
    ArtifactTampered,
    InvalidRegistration,
    InvalidTransition,
    ModelRegistry,
    NoChampion,
    RegistryBusy,
    Stage,
    UnknownModel,
    UnknownVersion,
)
from resources.registry.artifacts import content_hash, files_of, hashes_of
from resources.registry.ledger import Ledger, Move
from resources.registry.tracking import Tracking

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
TAGS = {"data_hash": "d1", "code_version": "c1", "feature_list": "recency,frequency", "pipeline_run_id": "r1"}


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


@pytest.fixture(scope="session")
def first_opening(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """An MLflow database that three processes initialised at once, and how each of them ended."""
    import mlflow.tracking  # noqa: F401  # once here instead of once in each process

    home = tmp_path_factory.mktemp("initialised")
    (home / "seen").mkdir()
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            try:
                ModelRegistry(home).initialise()
                database = home / "registry" / "mlflow.sqlite"
                (home / "seen" / str(number)).write_text(str(database.stat().st_ino))
            except BaseException as error:
                os.write(2, repr(error).encode())
                os._exit(1)
            os._exit(0)
        children.append(child)
    return home, [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


@pytest.fixture
def home(first_opening: tuple[Path, list[int]], tmp_path: Path) -> Path:
    (tmp_path / "registry").mkdir()
    shutil.copyfile(first_opening[0] / "registry" / "mlflow.sqlite", tmp_path / "registry" / "mlflow.sqlite")
    return tmp_path


@pytest.fixture
def registry(home: Path) -> ModelRegistry:
    return ModelRegistry(home)


def artifact(home: Path, content: str) -> Path:
    folder = home / f"trained-{content}"
    (folder / "calibration").mkdir(parents=True, exist_ok=True)
    (folder / "model.ubj").write_text(f"{{{content}")
    (folder / "calibration" / "knots.json").write_text("[0, 1]")
    return folder


def register(registry: ModelRegistry, home: Path, content: str, **changed: Any) -> str:
    report = home / "report.html"
    report.write_text("<p>evaluation</p>")
    arguments: dict[str, Any] = {
        "manifest": {"algorithm": "xgboost", "features": ["recency", "frequency"]},
        "metrics": {"auc": 0.81, "brier": 0.16},
        "params": {"max_depth": 3, "learning_rate": 0.1},
        "tags": TAGS,
        "report_path": report,
        "at": START,
    }
    return registry.register("churn", artifact(home, content), **{**arguments, **changed})


def promote(registry: ModelRegistry, version: str, stage: str, at: datetime, **changed: Any) -> None:
    arguments: dict[str, Any] = {"reason": "gate passed", "actor": "ada", "evidence": {"gate": "passed"}, **changed}
    registry.promote("churn", version, stage, at=at, **arguments)


def crown(registry: ModelRegistry, version: str, at: datetime) -> None:
    promote(registry, version, "staging", at)
    promote(registry, version, "production", at)


def mlflow_says(home: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Aliases and stage tags of churn, asked of MLflow itself."""
    client = mlflow_client(home)
    aliases = {name: str(version) for name, version in client.get_registered_model("churn").aliases.items()}
    return aliases, {str(v.version): v.tags["stage"] for v in client.search_model_versions("name = 'churn'")}


def mlflow_client(home: Path) -> Any:
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{home / 'registry' / 'mlflow.sqlite'}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def test_initialise_when_three_processes_open_an_empty_home_at_once_then_all_see_one_database(
    first_opening: tuple[Path, list[int]],
) -> None:
    home, exit_codes = first_opening

    assert exit_codes == [0, 0, 0]
    assert len({path.read_text() for path in (home / "seen").iterdir()}) == 1
    assert sorted(path.name for path in (home / "registry").iterdir() if path.name != ".lock") == [
        "artifacts",
        "mlflow.sqlite",
    ]


def test_register_when_new_then_folder_record_and_mlflow_run_agree(registry: ModelRegistry, home: Path) -> None:
    version = register(registry, home, "a")
    found = registry.version("churn", version)

    assert (found.version, found.stage, found.registered_at) == ("1", Stage.DEVELOPMENT, START)
    assert found.path == home / "registry" / "models" / "churn" / "1"
    assert (found.path / "model.ubj").read_text() == "{a"
    assert sorted(found.files) == ["calibration/knots.json", "model.ubj", "report/report.html"]
    assert found.report is not None
    assert found.report.read_text() == "<p>evaluation</p>"
    run = mlflow_client(home).get_run(found.run_id)
    assert (run.info.status, run.data.metrics) == ("FINISHED", dict(found.metrics))
    assert run.data.params == {"max_depth": "3", "learning_rate": "0.1"}
    assert TAGS.items() <= run.data.tags.items()
    assert run.info.start_time == START.timestamp() * 1000
    logged = [item.path for item in mlflow_client(home).list_artifacts(found.run_id, "model")]
    assert logged == ["model/calibration", "model/model.ubj"]


def test_register_when_content_is_already_known_then_the_existing_version_is_returned(
    registry: ModelRegistry, home: Path
) -> None:
    first = register(registry, home, "a")
    second = register(registry, home, "b")
    again = register(registry, home, "a", metrics={"auc": 0.5}, at=hours(1))

    assert (first, second, again) == ("1", "2", "1")
    assert registry.version("churn", "1").metrics["auc"] == 0.81
    assert len(mlflow_client(home).search_model_versions("name = 'churn'")) == 2


def test_register_when_an_earlier_one_died_before_the_ledger_then_its_version_is_taken_up(
    registry: ModelRegistry, home: Path
) -> None:
    folder = artifact(home, "a")
    content = content_hash(hashes_of(files_of(folder)))
    logged: dict[str, Any] = {"metrics": {"auc": 0.81}, "params": {}, "tags": TAGS, "report": None, "at": START}
    Tracking(home / "registry").log_version("churn", folder, content_sha256=content, **logged)
    leftover = home / "registry" / "models" / "churn" / "1"
    leftover.mkdir(parents=True)
    (leftover / "half").write_text("copied")
    with pytest.raises(UnknownModel):
        registry.versions("churn")

    assert register(registry, home, "a") == "1"
    assert registry.version("churn", "1").verify().stage is Stage.DEVELOPMENT
    assert register(registry, home, "b") == "2"


def test_register_when_an_earlier_one_died_inside_mlflow_then_its_half_run_is_deleted(
    registry: ModelRegistry, home: Path
) -> None:
    client = mlflow_client(home)
    content = content_hash(hashes_of(files_of(artifact(home, "a"))))
    register(registry, home, "other")
    experiment = client.get_experiment_by_name("churn").experiment_id
    half = client.create_run(experiment, tags={"artifact_sha256": content}).info.run_id

    register(registry, home, "a")

    assert half not in [run.info.run_id for run in client.search_runs([experiment])]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"tags": {**TAGS, "data_hash": ""}}, "data_hash"),
        ({"metrics": {"auc": float("nan")}}, "auc"),
        ({"manifest": {"when": START}}, "JSON"),
        ({"report_path": Path("no-such-report.html")}, "no-such-report.html"),
    ],
)
def test_register_when_the_version_could_not_be_answered_for_then_refused_by_name(
    registry: ModelRegistry, home: Path, changed: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidRegistration, match=named):
        register(registry, home, "a", **changed)
    assert registry.models() == []


@pytest.mark.parametrize(("name", "content"), [("model.pkl", b"anything"), ("model.bin", b"\x80\x04\x95")])
def test_register_when_the_artifact_holds_a_pickle_then_refused(
    registry: ModelRegistry, home: Path, name: str, content: bytes
) -> None:
    (artifact(home, "a") / name).write_bytes(content)
    with pytest.raises(InvalidRegistration, match=name):
        register(registry, home, "a")


def test_registry_when_used_then_no_file_of_it_is_a_pickle(registry: ModelRegistry, home: Path) -> None:
    register(registry, home, "a")
    files = [path for path in (home / "registry").rglob("*") if path.is_file()]

    assert len(files) > 8
    assert [path for path in files if path.suffix in {".pkl", ".pickle", ".joblib"}] == []
    assert [path for path in files if path.read_bytes()[:1] == b"\x80"] == []


def test_promote_when_a_challenger_wins_then_the_champion_is_archived_and_mlflow_follows(
    registry: ModelRegistry, home: Path
) -> None:
    for content in "ab":
        register(registry, home, content)
    crown(registry, "1", hours(1))
    promote(registry, "2", "staging", hours(2))
    assert mlflow_says(home) == ({"production": "1", "staging": "2"}, {"1": "production", "2": "staging"})

    promote(registry, "2", "production", hours(3))

    assert registry.champion("churn").version == "2"
    assert {found.version: found.stage for found in registry.versions("churn")} == {
        "1": Stage.ARCHIVED,
        "2": Stage.PRODUCTION,
    }
    assert mlflow_says(home) == ({"production": "2"}, {"1": "archived", "2": "production"})


def test_promote_when_rolled_back_then_the_former_champion_decides_and_history_tells_both_moves(
    registry: ModelRegistry, home: Path
) -> None:
    for content in "ab":
        register(registry, home, content)
    crown(registry, "1", hours(1))
    crown(registry, "2", hours(2))
    promote(registry, "1", "production", hours(3), reason="error rate doubled", evidence={})

    assert registry.champion("churn").version == "1"
    last_two = [(row.version, row.to_stage.value, row.reason, row.actor) for row in registry.history("churn")[-2:]]
    assert last_two == [
        ("2", "archived", "replaced by version 1: error rate doubled", "ada"),
        ("1", "production", "error rate doubled", "ada"),
    ]
    assert mlflow_says(home) == ({"production": "1"}, {"1": "production", "2": "archived"})


def test_promote_when_repeated_then_nothing_is_written(registry: ModelRegistry, home: Path) -> None:
    register(registry, home, "a")
    crown(registry, "1", hours(1))
    rows = registry.verify_ledger()
    promote(registry, "1", "production", hours(2))

    assert registry.verify_ledger() == rows


@pytest.mark.parametrize(
    ("stages", "refused", "changed", "named"),
    [
        ([], "production", {}, "from development to production"),
        (["staging", "production"], "staging", {}, "from production to staging"),
        (["staging"], "production", {"evidence": {}}, "without evidence"),
        (["archived"], "production", {}, "never stood in production"),
        (["staging"], "production", {"reason": " "}, "no reason"),
        (["staging"], "production", {"actor": ""}, "no actor"),
        ([], "live", {}, "no stage 'live'"),
        ([], "unregistered", {}, "to unregistered"),
    ],
)
def test_promote_when_the_transition_is_not_allowed_then_refused_and_nothing_is_written(
    registry: ModelRegistry, home: Path, stages: list[str], refused: str, changed: dict[str, Any], named: str
) -> None:
    register(registry, home, "a")
    for stage in stages:
        promote(registry, "1", stage, hours(1))
    rows = registry.verify_ledger()

    with pytest.raises(InvalidTransition, match=named):
        promote(registry, "1", refused, hours(2), **changed)
    assert registry.verify_ledger() == rows


def test_promote_when_dated_before_the_last_promotion_or_without_a_zone_then_refused(
    registry: ModelRegistry, home: Path
) -> None:
    register(registry, home, "a", at=hours(2))
    with pytest.raises(InvalidTransition, match="cannot be dated before"):
        promote(registry, "1", "staging", hours(1))
    with pytest.raises(InvalidArgument, match="which instant"):
        promote(registry, "1", "staging", datetime(2026, 4, 1))


def test_champion_when_none_stands_in_production_then_the_error_names_model_and_command(
    registry: ModelRegistry, home: Path
) -> None:
    register(registry, home, "a")
    for model in ("churn", "never_trained"):
        with pytest.raises(NoChampion, match=rf"{model} has no version in production[\s\S]*athena train"):
            registry.champion(model)


def test_champion_at_when_asked_for_any_moment_then_it_is_the_one_that_stood_there(
    registry: ModelRegistry, home: Path
) -> None:
    for content in "ab":
        register(registry, home, content)
    crown(registry, "1", hours(1))
    crown(registry, "2", hours(3))
    promote(registry, "2", "archived", hours(5))

    stood = {1: "1", 2.999: "1", 3: "2", 4.5: "2"}
    assert {moment: registry.champion_at("churn", hours(moment)).version for moment in stood} == stood
    for moment in (0.5, 5, 6):
        with pytest.raises(NoChampion):
            registry.champion_at("churn", hours(moment))


def test_unknown_model_or_version_when_asked_for_then_the_error_names_what_there_is(
    registry: ModelRegistry, home: Path
) -> None:
    register(registry, home, "a")
    with pytest.raises(UnknownModel, match="one of churn"):
        registry.history("demand")
    with pytest.raises(UnknownVersion, match="one of 1"):
        registry.version("churn", "7")


@pytest.mark.parametrize("name", ["model.ubj", "version.json", "report/report.html"])
def test_champion_when_a_registered_file_was_changed_then_the_file_is_named(
    registry: ModelRegistry, home: Path, name: str
) -> None:
    register(registry, home, "a")
    crown(registry, "1", hours(1))
    path = registry.champion("churn").path / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")

    with pytest.raises(ArtifactTampered, match=name):
        registry.champion("churn")


def test_champion_when_a_file_is_missing_or_added_then_the_file_is_named(registry: ModelRegistry, home: Path) -> None:
    register(registry, home, "a")
    crown(registry, "1", hours(1))
    folder = registry.champion("churn").path
    (folder / "extra.onnx").write_text("smuggled in")
    with pytest.raises(ArtifactTampered, match=r"extra\.onnx"):
        registry.champion("churn")

    (folder / "extra.onnx").unlink()
    (folder / "model.ubj").unlink()
    with pytest.raises(ArtifactTampered, match=r"model\.ubj"):
        registry.champion("churn")


def test_champion_when_another_version_is_damaged_then_it_still_decides(registry: ModelRegistry, home: Path) -> None:
    for content in "ab":
        register(registry, home, content)
    crown(registry, "2", hours(1))
    shutil.rmtree(registry.version("churn", "1").path)

    assert registry.champion("churn").version == "2"


def test_aliases_when_a_crash_came_between_ledger_and_mlflow_then_the_next_writer_mends_them(
    registry: ModelRegistry, home: Path
) -> None:
    register(registry, home, "a")
    promote(registry, "1", "staging", hours(1))
    run_id = registry.version("churn", "1").run_id
    ledger = Ledger(home / "registry" / "ledger.sqlite")
    move = Move("churn", "1", Stage.STAGING, Stage.PRODUCTION, "gate passed", run_id, {"gate": "passed"})
    ledger.append([move], actor="ada", at=hours(2))
    assert registry.champion("churn").version == "1"
    assert mlflow_says(home)[0] == {"staging": "1"}

    promote(ModelRegistry(home), "1", "production", hours(3))

    assert mlflow_says(home) == ({"production": "1"}, {"1": "production"})
    assert registry.verify_ledger() == 3


def test_reconcile_when_aliases_and_tags_were_changed_by_hand_then_the_ledger_wins(
    registry: ModelRegistry, home: Path
) -> None:
    for content in "ab":
        register(registry, home, content)
    crown(registry, "1", hours(1))
    client = mlflow_client(home)
    client.delete_registered_model_alias("churn", "production")
    client.set_registered_model_alias("churn", "staging", "2")
    client.set_model_version_tag("churn", "2", "stage", "production")

    assert registry.reconcile() == 3
    assert mlflow_says(home) == ({"production": "1"}, {"1": "production", "2": "development"})
    assert registry.reconcile() == 0


def test_writers_when_another_process_holds_the_lock_then_busy_is_an_error_and_readers_go_on(
    registry: ModelRegistry, home: Path
) -> None:
    from filelock import FileLock

    register(registry, home, "a")
    with FileLock(home / "registry" / ".lock"), pytest.raises(RegistryBusy, match=r"within 0\.1 s"):
        register(ModelRegistry(home, lock_wait_seconds=0.1), home, "b")
    with FileLock(home / "registry" / ".lock"):
        assert len(registry.versions("churn")) == 1


def test_champion_when_read_at_night_then_neither_mlflow_nor_anything_heavy_is_imported(
    registry: ModelRegistry, home: Path, repository: Path
) -> None:
    register(registry, home, "a")
    crown(registry, "1", hours(1))
    program = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from resources.registry import ModelRegistry\n"
        "registry = ModelRegistry(Path(sys.argv[1]))\n"
        "registry.champion('churn'); registry.champion_at('churn', datetime(2027, 1, 1, tzinfo=UTC))\n"
        "registry.versions('churn'); registry.history('churn'); registry.verify_ledger(); registry.models()\n"
        "heavy = {'mlflow', 'sqlalchemy', 'pandas', 'numpy', 'dagster', 'duckdb'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(home)], cwd=repository, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_errors_when_raised_then_all_are_athena_errors() -> None:
    named = [ArtifactTampered, InvalidRegistration, InvalidTransition, NoChampion, RegistryBusy, UnknownModel]
    assert all(issubclass(error, AthenaError) for error in [*named, UnknownVersion])
