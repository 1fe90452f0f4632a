"""The model registry: versions, stages and lineage of every model.

Two readers, two speeds. Whoever registers or promotes talks to MLflow, which costs seconds to import. Whoever
asks which model decides tonight reads the promotion ledger and a folder, and imports nothing heavy
(docs/decisions/0007-the-champion-is-a-folder.md). The ledger is the truth about stages; MLflow's aliases and tags
follow it and are mended by the next writer when a crash has left them behind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from resources.registry import artifacts, rules
from resources.registry.errors import NoChampion, RegistryBusy, RegistryOutOfStep, UnknownModel, UnknownVersion
from resources.registry.ledger import Ledger, Move, Promotion, Stage, utc_text
from resources.registry.tracking import Tracking
from resources.registry.version import RegisteredModel, read_version


class ModelRegistry:
    """The registry of one home (`<home>/registry`).

    Parameters
    ----------
    home: the folder of all state.
    lock_wait_seconds: how long a writer waits for another one. The first to register initialises MLflow.
    """

    def __init__(self, home: Path, *, lock_wait_seconds: float = 90.0) -> None:
        self._folder = home / "registry"
        self._ledger = Ledger(self._folder / "ledger.sqlite")
        self._tracking = Tracking(self._folder)
        self._lock_wait_seconds = lock_wait_seconds

    def initialise(self) -> None:
        """Make MLflow's database ahead of the first registration; safe to call at any time, by several processes."""
        with self._lock():
            self._tracking.initialise()

    def register(
        self,
        model_name: str,
        artifact_dir: Path,
        *,
        manifest: Mapping[str, Any],
        metrics: Mapping[str, float],
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        at: datetime,
        report_path: Path | None = None,
        actor: str = "pipeline",
    ) -> str:
        """Register the folder as a new version in `development`; returns the version.

        The identity of a version is the content of its folder: the same files again, whatever their metadata, are
        the version that they already are.

        Parameters
        ----------
        model_name: lower-case letters, digits and `_`.
        manifest: JSON object that says how to load and feed the artifact.
        tags: at least `data_hash`, `code_version`, `feature_list` and `pipeline_run_id`.
        at: the moment, with a time zone.
        report_path: an evaluation report to keep with the version.

        Raises
        ------
        InvalidRegistration, RegistryBusy
        """
        rules.refuse_registration(
            model_name, artifact_dir, manifest=manifest, metrics=metrics, params=params, tags=tags, report=report_path
        )
        registered_at = utc_text(at)
        files = artifacts.files_of(artifact_dir)
        content = artifacts.content_hash(artifacts.hashes_of(files))
        with self._lock():
            for row in _registrations(self._ledger.rows(model_name)):
                if row.evidence["artifact_sha256"] == content:
                    return row.version
            logged = self._tracking.log_version(
                model_name,
                artifact_dir,
                content_sha256=content,
                metrics=metrics,
                params=params,
                tags=tags,
                report=report_path,
                at=at,
            )
            if any(row.version == logged.version for row in self._ledger.rows(model_name)):
                raise RegistryOutOfStep(
                    f"MLflow has given {model_name} the version {logged.version} a second time",
                    expected=f"a version that the ledger does not know; MLflow's database in {self._folder} was lost",
                    found=f"version {logged.version} in the ledger, with its files",
                    next_command=f"restore {self._folder / 'mlflow.sqlite'} from a backup; the champion is untouched",
                )
            if report_path is not None:
                files = {**files, f"report/{report_path.name}": report_path}
            record = {
                "model": model_name,
                "version": logged.version,
                "registered_at": registered_at,
                "run_id": logged.run_id,
                "artifact_sha256": content,
                "files": artifacts.hashes_of(files),
                "manifest": manifest,
                "metrics": metrics,
                "params": params,
                "tags": tags,
                "report": f"report/{report_path.name}" if report_path is not None else None,
            }
            sha256 = artifacts.publish(files, record, self._path_of(model_name, logged.version))
            move = Move(
                model=model_name,
                version=logged.version,
                from_stage=Stage.UNREGISTERED,
                to_stage=Stage.DEVELOPMENT,
                reason="registered",
                run_id=logged.run_id,
                evidence={"artifact_sha256": content, "record_sha256": sha256},
            )
            self._ledger.append([move], actor=actor, at=at)
            self._project()
        return logged.version

    def promote(
        self,
        model: str,
        version: str,
        to_stage: Stage | str,
        *,
        reason: str,
        actor: str,
        at: datetime,
        evidence: Mapping[str, Any],
    ) -> RegisteredModel:
        """Move a version to another stage; a version that this drives out of production is archived with it.

        A version already in that stage stays there and nothing is written, so a repeated step is harmless. Going
        from staging to production needs evidence; a roll-back (archived to production) needs only its reason.

        Raises
        ------
        InvalidTransition, UnknownModel, UnknownVersion, ArtifactTampered, RegistryBusy
        """
        wanted = rules.stage_named(to_stage)
        with self._lock():
            candidate = self.version(model, version).verify()
            if candidate.stage is not wanted:
                rows = self.history(model)
                rules.refuse_transition(rows, version, wanted, reason=reason, actor=actor, evidence=evidence)
                moves = [Move(model, version, candidate.stage, wanted, reason, candidate.run_id, evidence)]
                if wanted is Stage.PRODUCTION:
                    moves[:0] = _retirements(rows, version, reason)
                self._ledger.append(moves, actor=actor, at=at)
            self._project()
        return self.version(model, version)

    def champion(self, model: str) -> RegisteredModel:
        """The version in production, every byte verified; raises `NoChampion` or `ArtifactTampered`."""
        return self._champion_after(model, self._ledger.rows(model), "now")

    def champion_at(self, model: str, at: datetime) -> RegisteredModel:
        """The version that stood in production at that instant (its `stage` is today's)."""
        stamp = utc_text(at)
        before = [row for row in self._ledger.rows(model) if utc_text(row.at) <= stamp]
        return self._champion_after(model, before, f"at {stamp}")

    def version(self, model: str, version: str) -> RegisteredModel:
        """One version; raises `UnknownModel` or `UnknownVersion`."""
        rows = self.history(model)
        stages = rules.stages_after(rows)
        if version not in stages:
            raise UnknownVersion(
                f"{model} has no version {version}",
                expected=f"one of {', '.join(stages)}",
                found=version,
                next_command="athena models",
            )
        return next(self._read(row, stages[version]) for row in _registrations(rows) if row.version == version)

    def versions(self, model: str) -> list[RegisteredModel]:
        """All versions in the order of their registration; raises `UnknownModel`."""
        rows = self.history(model)
        stages = rules.stages_after(rows)
        return [self._read(row, stages[row.version]) for row in _registrations(rows)]

    def models(self) -> list[str]:
        """The names of all models that have a version, sorted."""
        return sorted({row.model for row in self._ledger.rows()})

    def history(self, model: str) -> list[Promotion]:
        """Every change of stage of the model, oldest first; raises `UnknownModel`."""
        rows = self._ledger.rows(model)
        if not rows:
            raise UnknownModel(
                f"no model {model} is registered in {self._folder}",
                expected=f"one of {', '.join(self.models()) or 'none yet'}",
                found=model,
                next_command="athena train",
            )
        return rows

    def verify_ledger(self) -> int:
        """Recompute the ledger's chain; returns its number of rows, raises `LedgerBroken`."""
        return self._ledger.verify()

    def reconcile(self) -> int:
        """Compare MLflow's tags and aliases with the ledger and mend them; returns how many were wrong."""
        with self._lock():
            return self._project(everything=True)

    def _project(self, *, everything: bool = False) -> int:
        rows = self._ledger.rows()
        done = 0 if everything else self._ledger.projected()
        changed = 0
        for model in sorted({row.model for row in rows if row.sequence > done}):
            of_model = [row for row in rows if row.model == model]
            stages = rules.stages_after(of_model)
            aliases = {row.to_stage.value: row.version for row in of_model if stages[row.version] is row.to_stage}
            changed += self._tracking.project(model, {key: stage.value for key, stage in stages.items()}, aliases)
        if rows and rows[-1].sequence != self._ledger.projected():
            self._ledger.mark_projected(rows[-1].sequence)
        return changed

    def _champion_after(self, model: str, rows: Sequence[Promotion], when: str) -> RegisteredModel:
        standing = [version for version, stage in rules.stages_after(rows).items() if stage is Stage.PRODUCTION]
        if not standing:
            raise NoChampion(
                f"{model} has no version in production {when}",
                expected=f"one version of {model} in production",
                found=f"{len(rules.stages_after(rows))} versions, none in production",
                next_command=f"athena train {model}",
            )
        return self.version(model, standing[0]).verify()

    def _read(self, registration: Promotion, stage: Stage) -> RegisteredModel:
        return read_version(self._path_of(registration.model, registration.version), registration, stage)

    def _path_of(self, model: str, version: str) -> Path:
        return self._folder / "models" / model / version

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._folder / ".lock", timeout=self._lock_wait_seconds)
        try:
            lock.acquire()
        except Timeout as error:
            raise RegistryBusy(
                f"another process is writing to the registry {self._folder}",
                expected=f"its lock {lock.lock_file} free within {self._lock_wait_seconds:g} s",
                found="still held",
                next_command="wait for the other command, then repeat this one",
            ) from error
        try:
            yield
        finally:
            lock.release()


def _registrations(rows: Iterable[Promotion]) -> Iterator[Promotion]:
    return (row for row in rows if row.from_stage is Stage.UNREGISTERED)


def _retirements(rows: Sequence[Promotion], successor: str, reason: str) -> list[Move]:
    """The moves that archive whatever stands in production now."""
    stages = rules.stages_after(rows)
    return [
        Move(
            row.model,
            row.version,
            Stage.PRODUCTION,
            Stage.ARCHIVED,
            f"replaced by version {successor}: {reason}",
            row.run_id,
            {"replaced_by": successor},
        )
        for row in _registrations(rows)
        if stages[row.version] is Stage.PRODUCTION
    ]
