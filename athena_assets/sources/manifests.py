"""The manifests of a landing zone: which deliveries are registered, and which no longer count.

    deliveries/<delivery_id>.json   a registered delivery: it exists when its manifest does
    retired/<delivery_id>.json      one that was replaced or withdrawn: its manifest, when, and what came in its place

Registering, replacing and withdrawing are one rename or one removal each. A command that is killed before it has
changed nothing that is read; one that is killed after it leaves at most a manifest under its predecessor's file name,
which the next command puts right.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from athena_assets.sources.deliveries import Delivery, read_manifest, unreadable_manifest
from athena_assets.sources.errors import UnknownDelivery

DELIVERIES_SHOWN = 5


class RetiredDelivery(BaseModel):
    """A delivery that no longer counts: replaced by another, or withdrawn (`replaced_by` is None)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delivery: Delivery
    retired_at: datetime
    replaced_by: str | None

    @property
    def fate(self) -> str:
        """What became of it, in words."""
        day = self.retired_at.isoformat(sep=" ", timespec="minutes")
        return f"replaced by {self.replaced_by} at {day}" if self.replaced_by else f"withdrawn at {day}"


@dataclass(frozen=True)
class Manifests:
    """The manifests under the root of a landing zone."""

    root: Path

    @property
    def _registered(self) -> Path:
        return self.root / "deliveries"

    @property
    def _retired(self) -> Path:
        return self.root / "retired"

    def registered(self) -> list[Delivery]:
        """Every delivery that counts; raises `ManifestDamaged`."""
        return [read_manifest(path) for path in sorted(self._registered.glob("*.json"))]

    def retired(self) -> list[RetiredDelivery]:
        """Every delivery that no longer counts, in order of its retirement; raises `ManifestDamaged`.

        A record is written before the delivery is retired: what is registered, still or again, is none of them.
        """
        counting = {delivery.delivery_id for delivery in self.registered()}
        found = [_read_retired(path) for path in sorted(self._retired.glob("*.json"))]
        gone = [each for each in found if each.delivery.delivery_id not in counting]
        return sorted(gone, key=lambda each: (each.retired_at, each.delivery.delivery_id))

    def find(self, delivery_id: str) -> Delivery | RetiredDelivery:
        """The delivery of an id, counting or retired; raises `UnknownDelivery` saying which ids there are."""
        registered = self.registered()
        for delivery in registered:
            if delivery.delivery_id == delivery_id:
                return delivery
        for retired in self.retired():
            if retired.delivery.delivery_id == delivery_id:
                return retired
        latest = sorted(registered, key=lambda delivery: (delivery.registered_at, delivery.delivery_id))
        raise UnknownDelivery(
            f"no delivery is called {delivery_id}",
            expected=", ".join(delivery.delivery_id for delivery in latest[-DELIVERIES_SHOWN:]) or "a delivery",
            found=delivery_id,
            next_command="athena deliveries lists every id",
        )

    def need_registered(self, delivery_id: str) -> Delivery:
        """The registered delivery of an id; raises `UnknownDelivery`, for a retired one saying what became of it."""
        found = self.find(delivery_id)
        if isinstance(found, Delivery):
            return found
        raise UnknownDelivery(
            f"delivery {delivery_id} no longer counts",
            expected="a delivery that is registered",
            found=found.fate,
            next_command="athena deliveries lists every id",
        )

    def register(self, delivery: Delivery, staging: Path) -> None:
        """Write a delivery's manifest, first into the folder `staging`. Where it replaces one, that one is retired.

        Raises `UnknownDelivery` when the delivery to replace is not registered.
        """
        self._name_by_id()
        written = self._written(staging / "manifest.json", delivery.to_json())
        own = self._registered / f"{delivery.delivery_id}.json"
        self._registered.mkdir(parents=True, exist_ok=True)
        if delivery.replaces is None:
            os.replace(written, own)
            return
        replaced = self.need_registered(delivery.replaces)
        self._record(replaced, staging, at=delivery.registered_at, replaced_by=delivery.delivery_id)
        # Over the manifest of the replaced one: in this one step the old goes and the new comes.
        instead = self._registered / f"{replaced.delivery_id}.json"
        os.replace(written, instead)
        os.replace(instead, own)

    def withdraw(self, delivery: Delivery, staging: Path, *, at: datetime) -> None:
        """Retire a registered delivery without another in its place."""
        self._name_by_id()
        self._record(delivery, staging, at=at, replaced_by=None)
        (self._registered / f"{delivery.delivery_id}.json").unlink()

    def _record(self, delivery: Delivery, staging: Path, *, at: datetime, replaced_by: str | None) -> None:
        record = RetiredDelivery(delivery=delivery, retired_at=at, replaced_by=replaced_by)
        written = self._written(staging / "retired.json", record.model_dump_json(indent=2) + "\n")
        self._retired.mkdir(parents=True, exist_ok=True)
        os.replace(written, self._retired / f"{delivery.delivery_id}.json")

    def _name_by_id(self) -> None:
        """Finish what a command that was killed right after a replacement left to do."""
        for path in sorted(self._registered.glob("*.json")):
            own = path.with_name(f"{read_manifest(path).delivery_id}.json")
            if path != own:
                os.replace(path, own)

    def _written(self, path: Path, text: str) -> Path:
        """A file that the disk has, to be renamed into place."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return path


def _read_retired(path: Path) -> RetiredDelivery:
    try:
        return RetiredDelivery.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable_manifest(
            path, error, f"restore {path}, or move it away: nothing is computed from it"
        ) from None
