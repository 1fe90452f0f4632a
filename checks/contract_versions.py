"""Contracts as they are, were, or are proposed: from a file, a folder, or a revision of this repository."""

import io
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from athena_assets.errors import AthenaError
from checks.contract import Contract
from checks.contract_files import CONTRACTS, SUFFIX, parse_contract

REPOSITORY = CONTRACTS.parent.parent
FOLDER = CONTRACTS.relative_to(REPOSITORY).as_posix()
MAIN = ("origin/HEAD", "origin/main", "main")
"""What a branch is compared with, the first that there is."""


class NoSuchVersion(AthenaError):
    """Neither a contract, nor a folder of contracts, nor a revision has that name."""


def contracts_at(where: str, repository: Path = REPOSITORY) -> dict[str, Contract]:
    """Contracts by name; `where` is a contract file, a folder of them, or a git revision.

    Raises `NoSuchVersion`, and `InvalidContract` for a file that is none.
    """
    path = Path(where)
    if path.is_file() and path.name.endswith(SUFFIX):
        return {path.name.removesuffix(SUFFIX): parse_contract(path)}
    if path.is_dir():
        return _in_folder(path)
    commit = _git(repository, "rev-parse", "--verify", "--quiet", f"{where}^{{commit}}")
    if commit is None:
        raise NoSuchVersion(
            f"there are no contracts at {where}",
            expected=f"a file *{SUFFIX}, a folder of them, or a git revision",
            found="none of these",
            next_command="git log --oneline -- checks/contracts",
        )
    done = subprocess.run(
        ["git", "archive", commit, "--", FOLDER], cwd=repository, capture_output=True, check=False, timeout=60
    )
    if done.returncode:
        return {}  # before the first contract was written
    with TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        # Files by their last name only: safe without `filter`, which early releases of Python 3.11 do not know.
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                (Path(folder) / Path(member.name).name).write_bytes(content.read())
        return _in_folder(Path(folder))


def base_revision(repository: Path = REPOSITORY) -> str | None:
    """The revision that the contracts in the working tree are compared with; None where none is at hand.

    On a branch it is where the branch left the main one; on the main branch what was committed last, and with
    nothing changed since, the commit before it. A shallow clone may have none of these.
    """
    head = _git(repository, "rev-parse", "--verify", "--quiet", "HEAD")
    if head is None:
        return None
    for main in MAIN:
        base = _git(repository, "merge-base", "HEAD", main)
        if base is not None and base != head:
            return base
    if _git(repository, "status", "--porcelain", "--", FOLDER):
        return head
    return _git(repository, "rev-parse", "--verify", "--quiet", "HEAD~1")


def _in_folder(folder: Path) -> dict[str, Contract]:
    return {path.name.removesuffix(SUFFIX): parse_contract(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}


def _git(repository: Path, *arguments: str) -> str | None:
    """What git answers; None where it has no answer, or is not there."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=repository, capture_output=True, text=True, check=False, timeout=60
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
