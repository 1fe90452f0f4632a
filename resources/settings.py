"""Typed settings, each an environment variable `ATHENA_<NAME>`; docs/settings.md is generated from this file.

A setting is what differs between two machines. What differs between two retailers is declared by the source;
what differs between two models is in the model's folder.
"""

import os
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from athena_assets.errors import AthenaError
from athena_assets.wording import one_line

PREFIX = "ATHENA_"


class InvalidSetting(AthenaError):
    """An environment variable holds a value that its setting cannot take."""


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    home: Path = Field(Path(".athena"), description="Folder of all state: warehouse, registry, published files.")
    threads: int = Field(2, ge=1, le=256, description="Threads of DuckDB and XGBoost in one step.")
    memory_limit: str = Field(
        "4GB",
        pattern=r"^\d{1,6}(\.\d+)?(MB|GB)$",
        description="DuckDB's memory limit; beyond it, it spills into the home.",
    )
    lock_wait_seconds: Decimal = Field(
        Decimal("3"),
        ge=0,
        le=86_400,
        description="How long a step waits for a busy warehouse before it says who holds it.",
    )
    actor: str = Field("engineer", min_length=1, description="Who is recorded in the promotion ledger.")
    alert_urls: SecretStr = Field(
        SecretStr(""),
        description="Where alerts go beside the log and `monitoring/alerts.log`: apprise URLs (Slack, mail, PagerDuty,"
        " a web hook), separated by commas. Secret: never printed.",
    )
    alert_reminder_hours: Decimal = Field(
        Decimal("24"),
        gt=0,
        le=8_760,
        description="After how many hours an alert that nobody has acknowledged is sent again.",
    )

    @field_validator("actor")
    @classmethod
    def _one_line(cls, actor: str) -> str:
        if one_line(actor) != actor:
            raise ValueError("a name is one line without control characters")
        return actor

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file; one writer at a time."""
        return self.home / "warehouse.duckdb"

    @property
    def landing(self) -> Path:
        """Where deliveries are registered, and where the simulator lands its files."""
        return self.home / "landing"

    @property
    def truth(self) -> Path:
        """The simulator's ground truth; the pipeline never reads it."""
        return self.home / "truth"

    @property
    def published(self) -> Path:
        """What consumers read."""
        return self.home / "published"

    @property
    def cache(self) -> Path:
        """What can be computed again: column lineage by the text of its SQL."""
        return self.home / "cache"

    @property
    def usage_path(self) -> Path:
        """The meter's SQLite file."""
        return self.home / "cost" / "usage.sqlite"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own state."""
        return self.home / "dagster"


def load_settings() -> Settings:
    """Settings of this process, from its environment; raises `InvalidSetting` naming the variable."""
    given = {name: value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    settings = _loaded(tuple(sorted(given.items())))
    return settings if settings.home.is_absolute() else settings.model_copy(update={"home": settings.home.absolute()})


@lru_cache(maxsize=1)
def _loaded(_given: tuple[tuple[str, str], ...]) -> Settings:
    """The settings while the environment is the same: every step asks for them, and to read them takes a while."""
    try:
        return Settings()  # type: ignore[call-arg]  # every field has a default that mypy cannot see
    except ValidationError as error:
        first = error.errors()[0]
        name = "ATHENA_" + str(first["loc"][0]).upper()
        raise InvalidSetting(
            f"the environment variable {name} is not valid",
            expected=first["msg"],
            found=repr(first["input"]),
            next_command=f"unset {name}, or see docs/settings.md",
        ) from None


def settings_page() -> str:
    """docs/settings.md: one row per setting, made from the fields above."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read at the start of every command. Made by `athena doctor --settings`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}`" if str(field.default) else "none"
        lines.append(f"| `ATHENA_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"
