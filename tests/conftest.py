"""Fixtures every room's tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout; its absence is a failure in CI and a skip elsewhere."""
    path = REPOSITORY.parent / "shared" / "data"
    if not path.is_dir():
        message = f"real data not found: expected {path.name} under ../shared beside the checkout"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path
