"""A model version on disk: native trees, linear part, level, the portable graph, and a manifest that names them all.

    model.ubj          the trees, XGBoost's own format
    linear.json        transform and weights of the linear part
    calibration.json   slope and level for each day of the year
    model.onnx         the whole path from features to the published probability
    profile.json       what each feature looked like in the rows it was trained on (versions before 1.1 have none)
    manifest.json      what it is, what it was trained on, and the hash of each file

No pickle. The same model and the same facts give the same bytes; what a clock says (latency, dates) is kept elsewhere.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from athena_assets.errors import AthenaError
from athena_assets.lifecycle import profile as profiles
from athena_assets.lifecycle.dataset import FloatArray, Matrix
from athena_assets.lifecycle.fitted import FittedModel, Ranking
from athena_assets.lifecycle.linear import LinearPart, LogTransform
from athena_assets.lifecycle.portable import portable_bytes, portable_probability, session

if TYPE_CHECKING:
    import onnxruntime

TOLERANCE = 1e-5
FORMAT = 1
FILES = ("model.ubj", "linear.json", "calibration.json", "model.onnx")
PROFILE = "profile.json"
LIBRARIES = ("xgboost", "numpy", "onnx", "onnxruntime")


class PortableModelDiffers(AthenaError):
    """Native and portable model disagree: the version must not be used."""


class InvalidArtifact(AthenaError):
    """A directory is no artifact, or one of its files is not what the manifest says."""


@dataclass(frozen=True)
class Artifact:
    """A version as loaded from disk."""

    folder: Path
    manifest: Mapping[str, Any]
    model: FittedModel

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that change with any byte of the version."""
        return hashlib.sha256(_json(self.manifest)).hexdigest()[:12]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum((self.folder / name).stat().st_size for name in (*self.manifest["files"], "manifest.json"))

    @cached_property
    def portable(self) -> "onnxruntime.InferenceSession":
        """The portable model, one thread."""
        return session((self.folder / "model.onnx").read_bytes())


def write_artifact(
    folder: Path,
    model: FittedModel,
    facts: Mapping[str, object],
    check: Matrix,
    *,
    profile: profiles.Profile | None = None,
) -> Artifact:
    """Write the version atomically to `folder`, which must not exist, and load it.

    facts: JSON-serialisable entries of the manifest beside what the model itself says: feature types, feature set
    version, snapshots, data hash, code version, metrics, thresholds. check: rows on which native and portable model
    must agree within `TOLERANCE`; raises `PortableModelDiffers` otherwise, and leaves nothing behind.
    profile: what the features looked like in training.
    """
    if folder.exists():
        raise InvalidArtifact(
            f"{folder.name} exists already", expected="a new version", found="a directory or file of that name"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        portable = portable_bytes(model)
        difference = _largest_difference(model, portable, check)
        contents = {
            "model.ubj": model.ranking.trees,
            "linear.json": _json(_linear_dict(model)),
            "calibration.json": _json(_calibration_dict(model)),
            "model.onnx": portable,
        }
        if profile is not None:
            contents[PROFILE] = _json(profiles.as_json(profile))
        manifest = {
            "format": FORMAT,
            "features": list(model.features),
            "parameters": dict(model.parameters),
            "notes": dict(model.notes),
            "libraries": _library_versions(),
            "largest_difference": difference,
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
            **facts,
        }
        for name, content in {**contents, "manifest.json": _json(manifest)}.items():
            _write_through(scratch / name, content)
        # mkdtemp is private to its owner; an artifact is read by whoever serves it.
        scratch.chmod(0o755)
        os.replace(scratch, folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return load_artifact(folder)


def load_artifact(folder: Path, *, threads: int = 1) -> Artifact:
    """Read a version and verify every file's hash; raises `InvalidArtifact`."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        names = dict.fromkeys([*FILES, *manifest.get("files", {})])
        contents = {name: (folder / name).read_bytes() for name in names}
    except (OSError, ValueError) as error:
        raise InvalidArtifact(
            f"{folder.name} is no artifact",
            expected=", ".join((*FILES, "manifest.json")),
            found=str(error),
            next_command="athena models",
        ) from None
    for name, content in contents.items():
        found = hashlib.sha256(content).hexdigest()
        if manifest.get("files", {}).get(name) != found:
            raise InvalidArtifact(
                f"{folder.name}/{name} is not the file that was written",
                expected=str(manifest.get("files", {}).get(name)),
                found=found,
                next_command="restore the version, or train again",
            )
    if manifest.get("format") != FORMAT:
        raise InvalidArtifact(
            f"{folder.name} has another format", expected=str(FORMAT), found=str(manifest.get("format"))
        )
    return Artifact(folder, manifest, _model(manifest, contents, threads))


def read_profile(folder: Path) -> profiles.Profile:
    """What the features of a version looked like in training; empty for a version that did not keep it."""
    path = folder / PROFILE
    return profiles.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _largest_difference(model: FittedModel, portable: bytes, check: Matrix) -> float:
    if not len(check):
        raise PortableModelDiffers("native and portable model cannot be compared", expected="rows", found="none")
    native = model.probability(check)
    other = portable_probability(session(portable), check)
    # NaN on either side must not pass.
    differences = np.abs(native - other)
    worst = int(np.argmax(np.where(np.isnan(differences), np.inf, differences)))
    if not differences[worst] <= TOLERANCE:
        raise PortableModelDiffers(
            f"native and portable model differ on row {worst}",
            expected=f"{native[worst]:.8f} within {TOLERANCE}",
            found=f"{other[worst]:.8f}",
            next_command="keep the champion; report the booster's parameters",
        )
    return float(f"{differences[worst]:.3g}")


def _linear_dict(model: FittedModel) -> dict[str, object]:
    part, transform = model.ranking.linear, model.ranking.linear.transform
    return {
        "features": [model.features[column] for column in transform.columns],
        "lower": transform.lower.tolist(),
        "upper": transform.upper.tolist(),
        "mean": transform.mean.tolist(),
        "scale": transform.scale.tolist(),
        "weight": part.weight.tolist(),
        "missing_weight": part.missing_weight.tolist(),
        "tree_features": [model.features[column] for column in model.ranking.tree_columns],
        "tree_scale": model.ranking.tree_scale,
    }


def _calibration_dict(model: FittedModel) -> dict[str, object]:
    return {"day_of_year_feature": model.features[model.day_column], "level": model.level.tolist()}


def _model(manifest: Mapping[str, Any], contents: Mapping[str, bytes], threads: int) -> FittedModel:
    features = tuple(manifest["features"])
    linear, calibration = json.loads(contents["linear.json"]), json.loads(contents["calibration.json"])

    def positions(names: list[str]) -> "np.ndarray[Any, np.dtype[np.int64]]":
        return np.array([features.index(name) for name in names], dtype=np.int64)

    def floats(key: str) -> FloatArray:
        return np.array(linear[key], dtype=np.float64)

    transform = LogTransform(
        positions(linear["features"]), floats("lower"), floats("upper"), floats("mean"), floats("scale")
    )
    part = LinearPart(transform, floats("weight"), floats("missing_weight"))
    trees = Ranking(part, contents["model.ubj"], positions(linear["tree_features"]), linear["tree_scale"], threads)
    return FittedModel(
        features,
        trees,
        np.array(calibration["level"], dtype=np.float64),
        features.index(calibration["day_of_year_feature"]),
        manifest["parameters"],
        manifest["notes"],
    )


def _library_versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in LIBRARIES}


def _json(content: Mapping[str, object]) -> bytes:
    try:
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArtifact(
            "the version holds a value that JSON cannot say", expected="text and finite numbers", found=str(error)
        ) from None
    return (text + "\n").encode()


def _write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
