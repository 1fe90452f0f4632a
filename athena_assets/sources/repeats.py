"""What may not be registered: content that came before, a night that was delivered, a file that rows are read from."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.errors import AlreadyDelivered, DeliveryChanged, NotAReplacement
from athena_assets.sources.source import DeliveryKind, Source
from athena_assets.sources.tables import RAW_TABLES

DeliveredContent = tuple[str, Path, str]
"""Table, path and SHA-256 of one file that is to be registered."""


def refuse_repeated(
    source: Source, earlier: Iterable[Delivery], identity: str, files: Sequence[DeliveredContent], night: date | None
) -> None:
    """Raise `AlreadyDelivered` when a file or the night was registered before.

    earlier: the registered deliveries of the source, without one that is to be replaced.
    Reference tables, empty files and nightly full extracts may come with the same bytes again: nothing in them
    counts twice.
    """
    kind: DeliveryKind = "bulk" if night is None else "nightly"
    for delivery in earlier:
        known = {f.sha256 for f in delivery.files if f.rows and RAW_TABLES[f.table].event_column}
        repeated = [
            path for table, path, sha in files if sha in known and not source.repeats_earlier_nights(table, kind)
        ]
        if delivery.delivery_id == identity or repeated:
            raise AlreadyDelivered(
                f"{(repeated or [files[0][1]])[0].name} was delivered before",
                delivery_id=delivery.delivery_id,
                same_content=True,
                expected="content that no earlier delivery brought",
                found=f"delivery {delivery.delivery_id}, registered at {delivery.registered_at.isoformat()}, "
                f"nights {delivery.first_night} to {delivery.last_night}",
                next_command="nothing to do: its rows are already there",
            )
        if night is not None and delivery.kind == "nightly" and delivery.covers(night):
            raise AlreadyDelivered(
                f"night {night} of {source.name} was delivered before, with other content",
                delivery_id=delivery.delivery_id,
                same_content=False,
                expected="one delivery per night; later facts come with a later night",
                found=f"delivery {delivery.delivery_id}",
                next_command="deliver further rows with the next night; if the first were wrong, "
                + delivery.replacing_command([path for _, path, _ in files]),
            )


def refuse_overwritten(earlier: Iterable[Delivery], files: Sequence[DeliveredContent]) -> None:
    """Raise `DeliveryChanged` for a file that an earlier delivery is read from and whose content is another.

    Registered, it would leave the earlier delivery without its rows.
    """
    registered = {file.path: (delivery, file) for delivery in earlier for file in delivery.files}
    for _, path, sha in files:
        delivery, known = registered.get(str(path), (None, None))
        if delivery is not None and known is not None and known.sha256 != sha:
            raise DeliveryChanged(
                f"{path.name} was delivered before with other content, and those rows are read from it",
                expected=f"the registered content (SHA-256 {known.sha256[:16]}...) at {path}",
                found=f"{path.stat().st_size:,} other bytes",
                next_command="put the registered file back, and load the new content under a name of its own; "
                f"if the registered rows were wrong, {delivery.replacing_command([p for _, p, _ in files])}",
            )


def refuse_unlike(replaced: Delivery, identity: str, kind: DeliveryKind, night: date | None) -> None:
    """Raise `NotAReplacement` unless a delivery can stand in the replaced one's place."""
    if identity == replaced.delivery_id:
        raise NotAReplacement(
            f"the files are those of {replaced.delivery_id} itself",
            expected="corrected files",
            found="the same bytes",
            next_command="load the files that the supplier has corrected",
        )
    if kind != replaced.kind or (night is not None and night != replaced.last_night):
        raise NotAReplacement(
            f"delivery {replaced.delivery_id} covers other nights",
            expected=f"files of the night {replaced.last_night}" if replaced.kind == "nightly" else "bulk files",
            found=f"files of the night {night}" if night is not None else "bulk files",
            next_command=replaced.replacing_command(["FILES"]),
        )
