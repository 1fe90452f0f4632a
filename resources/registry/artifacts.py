"""Version folders: immutable copies of an artifact, each file's SHA-256 recorded, published by one rename.

    models/<model>/<version>/version.json   the version's record: lineage, metrics, hashes
    models/<model>/<version>/<files>        the artifact, as it was handed over

`version.json` names the hash of every file; the ledger's registering row names the hash of `version.json`. So
the chain of the ledger vouches for every byte that scoring loads.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.registry.errors import ArtifactTampered, InvalidRegistration
from resources.registry.ledger import canonical_json

RECORD = "version.json"
_PICKLE_SUFFIXES = {".pkl", ".pickle", ".joblib", ".pt"}
_PICKLE_STARTS = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


def files_of(folder: Path) -> dict[str, Path]:
    """Relative POSIX path -> file, sorted, the record left out."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: found[name] for name in sorted(found) if name != RECORD}


def hashes_of(files: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 (hex) of each file."""
    return {name: sha256_of(path) for name, path in files.items()}


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of one file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(hashes: Mapping[str, str]) -> str:
    """One hash for a set of files, names included; the identity of an artifact."""
    return hashlib.sha256(canonical_json(dict(hashes)).encode()).hexdigest()


def refuse_unfit(folder: Path) -> None:
    """Raise `InvalidRegistration` for an artifact that is empty, holds a pickle or claims the record's name."""
    if not folder.is_dir() or not files_of(folder):
        raise InvalidRegistration(
            f"there is no artifact in {folder}",
            expected="a folder with at least one file",
            found="an empty folder" if folder.is_dir() else "no such folder",
        )
    if (folder / RECORD).exists():
        raise InvalidRegistration(
            f"{folder} holds a file {RECORD}",
            expected=f"{RECORD} to be written by the registry",
            found=f"{RECORD} in the artifact",
        )
    for name, path in files_of(folder).items():
        with path.open("rb") as file:
            start = file.read(2)
        if path.suffix in _PICKLE_SUFFIXES or start in _PICKLE_STARTS:
            raise InvalidRegistration(
                f"the artifact file {name} is a pickle, which runs code when it is loaded",
                expected="UBJ, ONNX, JSON or text",
                found=f"{path.suffix or 'no suffix'}, starting with {start.hex()}",
            )


def publish(files: Mapping[str, Path], record: Mapping[str, Any], target: Path) -> str:
    """Copy the files and the record to the target folder in one step; returns the record's SHA-256.

    A folder already at the target is the leftover of a registration that died before the ledger knew of it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = target.with_name(f".incoming-{target.name}")
    for leftover in (incoming, target):
        if leftover.exists():
            shutil.rmtree(leftover)
    incoming.mkdir()
    try:
        for name, source in files.items():
            _write(incoming / name, source.read_bytes())
        text = json.dumps(record, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        _write(incoming / RECORD, text.encode())
        incoming.replace(target)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    _sync_folder(target.parent)
    return sha256_of(target / RECORD)


def read_record(folder: Path, *, record_sha256: str, name: str) -> dict[str, Any]:
    """The record of a version; raises `ArtifactTampered` when it is not the one that the ledger vouches for."""
    path = folder / RECORD
    if not path.is_file():
        raise _tampered(name, path, expected=f"SHA-256 {record_sha256}", found="no such file")
    found = sha256_of(path)
    if found != record_sha256:
        raise _tampered(name, path, expected=f"SHA-256 {record_sha256}", found=f"SHA-256 {found}")
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def verify(folder: Path, expected: Mapping[str, str], *, name: str) -> None:
    """Raise `ArtifactTampered` naming the first file that is changed, missing or was added."""
    files = files_of(folder)
    for file, sha256 in expected.items():
        found = f"SHA-256 {sha256_of(files[file])}" if file in files else "no such file"
        if found != f"SHA-256 {sha256}":
            raise _tampered(name, folder / file, expected=f"SHA-256 {sha256}", found=found)
    for file in files:
        if file not in expected:
            raise _tampered(name, folder / file, expected="only the files that were registered", found="an added file")


def _tampered(name: str, path: Path, *, expected: str, found: str) -> ArtifactTampered:
    return ArtifactTampered(
        f"{path} is not what was registered as {name}",
        expected=expected,
        found=found,
        next_command="restore the file from a backup, or promote another version with `athena models`",
    )


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o444)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
