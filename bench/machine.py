"""What the figures were measured on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

LIBRARIES = ("dagster", "duckdb", "xgboost", "onnxruntime", "pandas", "polars")


def machine() -> str:
    """One line: cores, memory, Python, libraries, date, and how busy the machine was with other work."""
    import psutil

    memory = psutil.virtual_memory().total / 1024**3
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()},"
        f" {libraries}; {datetime.now(UTC):%Y-%m-%d}, load average {load}"
    )
