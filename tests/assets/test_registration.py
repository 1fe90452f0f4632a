"""Nothing is promoted of which the gate, or the registry, was shown something else."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from athena_assets.definitions import Overrides, build_athena
from checks.gate import Admission, Policy, Ungated
from checks.verdicts import Reading
from resources.registry import ModelRegistry, NoChampion
from resources.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.conftest import Shop

REGISTERED = dg.AssetKey(["churn", "registered"])
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Looked(Ungated):
    """The gate's look, before the last write of the month's training."""

    month: str

    def admit(self, made: Iterable[dg.AssetKey], partitions: Sequence[str], *, run_id: str, at: datetime) -> Admission:
        return Admission(read=Reading(0, (("churn.trained", self.month, self.month),)))


class WrittenAgain(ModelRegistry):
    """A registry to which the candidate is brought while another training of the month writes it."""

    def register(self, model_name: str, artifact_dir: Path, **more: Any) -> str:
        calibration = artifact_dir / "calibration.json"
        content = json.loads(calibration.read_text())
        content["level"] = [level + 0.5 for level in content["level"]]
        calibration.write_text(json.dumps(content))
        manifest = json.loads((artifact_dir / "manifest.json").read_text())
        manifest["files"]["calibration.json"] = sha256(calibration.read_bytes()).hexdigest()
        (artifact_dir / "manifest.json").write_text(json.dumps(manifest))
        return super().register(model_name, artifact_dir, **more)


@pytest.fixture
def unregistered(simulated_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A home in which a model has been trained and passed, and never registered."""
    monkeypatch.setenv("ATHENA_HOME", str(simulated_shop.home))
    registry = simulated_shop.home / "registry"
    for path in [path for path in registry.iterdir() if path.name != "candidates"]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return simulated_shop


def month_of(shop: Shop) -> str:
    ((month,),) = shop.rows("SELECT partition FROM gate.materialisation WHERE asset = 'churn.trained'")
    return str(month)


def register(shop: Shop, policy: Policy, registry: ModelRegistry | None = None) -> dg.ExecuteInProcessResult:
    """Materialise the registration of the month that has been trained."""
    resources = {} if registry is None else {"registry": registry}
    athena = build_athena(Settings(home=shop.home), Overrides(policy=policy, resources=resources))
    job = athena.definitions.resolve_implicit_global_asset_job_def()
    return job.get_subset(asset_selection={REGISTERED}, asset_check_selection=set()).execute_in_process(
        run_config=QUIET,
        partition_key=month_of(shop),
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


def test_registration_when_the_training_was_written_again_since_the_look_then_nothing_is_promoted(
    unregistered: Shop,
) -> None:
    assert not register(unregistered, Looked(month_of(unregistered))).success
    with pytest.raises(NoChampion):
        ModelRegistry(unregistered.home).champion("churn")
    assert register(unregistered, Ungated()).success
    assert ModelRegistry(unregistered.home).champion("churn").version == "1"


def test_registration_when_the_artifact_is_written_again_while_it_is_copied_then_nothing_is_promoted(
    unregistered: Shop,
) -> None:
    assert not register(unregistered, Ungated(), WrittenAgain(unregistered.home)).success
    with pytest.raises(NoChampion):
        ModelRegistry(unregistered.home).champion("churn")
