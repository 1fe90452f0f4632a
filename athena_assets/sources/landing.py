"""The landing zone `<home>/landing/`: what was delivered, when, and proof that it is still the same.

    deliveries/, retired/           the manifests (manifests.py)
    converted/<sha256>.parquet|csv  what is read in place of an xlsx or of text in another encoding

A delivered file stays where it is; its manifest holds its SHA-256, and nothing is read from it that does
not match. A delivery exists when its manifest does, which is written last: whatever fails before leaves nothing
that is read.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb

from athena_assets.nights import Night
from athena_assets.sources.deliveries import DeliveredFile, Delivery, delivery_id_of
from athena_assets.sources.errors import DeliveryChanged, LandingFailed, UnknownDelivery, UnreadableFile
from athena_assets.sources.files import ReadableFile, sha256_of, shape_of
from athena_assets.sources.inspection import InspectedFile, inspect_file, tables_of
from athena_assets.sources.last_good import last_good
from athena_assets.sources.manifests import Manifests
from athena_assets.sources.repeats import DeliveredContent, refuse_overwritten, refuse_repeated, refuse_unlike
from athena_assets.sources.source import DeliveryKind, RawSelect, Source


@dataclass(frozen=True)
class Landing:
    """The landing zone of one home, for every source."""

    root: Path

    @classmethod
    def of(cls, home: Path) -> "Landing":
        """The landing zone of a home."""
        return cls(home / "landing")

    @property
    def manifests(self) -> Manifests:
        """What is registered, and what no longer counts."""
        return Manifests(self.root)

    def deliveries(self, source: str | None = None) -> tuple[Delivery, ...]:
        """Every delivery (of one source), bulk before nightly, by night; raises `ManifestDamaged`."""
        chosen = [delivery for delivery in self.manifests.registered() if source in (None, delivery.source)]
        return tuple(sorted(chosen, key=lambda d: (d.kind, d.first_night, d.last_night, d.delivery_id)))

    def bulk(self, source: str) -> tuple[Delivery, ...]:
        """The bulk deliveries of a source; raises `UnknownDelivery` when there is none."""
        found = tuple(delivery for delivery in self.deliveries(source) if delivery.kind == "bulk")
        if not found:
            raise self._nothing(source, f"{source} has no history in the landing zone", "a bulk delivery")
        return found

    def for_night(self, source: str, night: Night) -> Delivery:
        """The nightly delivery of a night; raises `UnknownDelivery` saying what there is instead.

        Several nightly deliveries of one night cannot be told apart by partition: registering refuses them.
        """
        for delivery in self.deliveries(source):
            if delivery.kind == "nightly" and delivery.covers(night.day):
                return delivery
        raise self._nothing(
            source, f"night {night.key} of {source} has not been delivered", f"a delivery of {night.key}"
        )

    def covering(self, source: str, night: Night) -> tuple[Delivery, ...]:
        """Every delivery, bulk or nightly, whose nights include this one; empty when there is none."""
        return tuple(delivery for delivery in self.deliveries(source) if delivery.covers(night.day))

    def register(
        self,
        source: Source,
        paths: Sequence[Path],
        *,
        kind: DeliveryKind,
        registered_at: datetime,
        first_night: Night | None = None,
        last_night: Night | None = None,
        replaces: str | None = None,
    ) -> Delivery:
        """Inspect the files of one delivery and record it; either all of it is recorded or nothing.

        A nightly delivery needs its night (`last_night`). A bulk delivery's nights are, unless given, those
        of its first row and of its last one that is not after the day of `registered_at` (business-local).
        With `replaces`, the delivery of that id is retired in the same step; said again, it is done already.

        Raises the errors of `inspect_file`, `AlreadyDelivered` for a file that was registered before,
        `DeliveryChanged` for one that a registered delivery is read from; about a delivery to replace
        `UnknownDelivery` and `NotAReplacement`.
        """
        if kind == "nightly" and last_night is None:
            raise UnknownDelivery(
                f"a nightly delivery of {source.name} came without its night",
                expected="the night that the files cover",
                found="none",
                next_command="athena load --night YYYY-MM-DD <files>",
            )
        night = last_night.day if kind == "nightly" and last_night is not None else None
        pairs = [(table, path.resolve(), sha256_of(path)) for table, path in tables_of(source, paths)]
        identity = delivery_id_of(source.name, kind, night, ((table, sha) for table, _, sha in pairs))
        if replaces is not None and (done := self._replaced_already(replaces, identity)) is not None:
            return done
        self.refuse_unregistrable(source, identity, pairs, kind, night, replaces=replaces)
        with self._staging(identity) as staging, duckdb.connect(config={"threads": 2}) as connection:
            files = [
                inspect_file(
                    connection,
                    source,
                    table,
                    path,
                    staging=staging,
                    kind=kind,
                    until=last_night.day if last_night is not None else registered_at.date(),
                    sha256=sha,
                    find_last_good=lambda table: last_good(self, connection, source, table, before=night),
                )
                for table, path, sha in pairs
            ]
            first, last = nights_of(source, files, night, first_night, last_night)
            delivery = Delivery(
                delivery_id=identity,
                source=source.name,
                kind=kind,
                first_night=first,
                last_night=last,
                registered_at=registered_at,
                files=tuple(self._delivered(files)),
                replaces=replaces,
            )
            self._keep_conversions(staging)
            self.manifests.register(delivery, staging)
        return delivery

    def verified(self, delivery: Delivery, file: DeliveredFile) -> Path:
        """The path to read a registered file from; raises `DeliveryChanged` when its bytes are others."""
        for path, sha in self._paths(file):
            if not path.is_file():
                raise _changed(delivery, path, sha, "no such file")
            found = sha256_of(path)
            if found != sha:
                raise _changed(delivery, path, sha, f"SHA-256 {found[:16]}...")
        return self._paths(file)[-1][0]

    def raw_selects(
        self, connection: duckdb.DuckDBPyConnection, source: Source, delivery: Delivery, table: str
    ) -> tuple[RawSelect, ...]:
        """One SELECT of raw rows per file of the table, each file verified first.

        Raises `DeliveryChanged`, and `ColumnsDiffer` when the declaration changed since registration.
        """
        selects = []
        for file in delivery.files_of(table):
            path = self.verified(delivery, file)
            suffix = "parquet" if path.suffix == ".parquet" else "csv"
            readable = ReadableFile(path, suffix, source.mapping.tables[table].delimiter)
            name = Path(file.path).name
            shape = shape_of(connection, readable, name)
            selects.append(
                source.raw_select(
                    table,
                    readable,
                    shape,
                    delivery.as_delivered,
                    file_name=name,
                    rows_before=file.rows_before,
                )
            )
        return tuple(selects)

    def _paths(self, file: DeliveredFile) -> tuple[tuple[Path, str], ...]:
        """What has to be unchanged: the file as delivered, then its conversion where it has one."""
        original = (Path(file.path), file.sha256)
        if file.read_from is None or file.read_sha256 is None:
            return (original,)
        return (original, (self.root / file.read_from, file.read_sha256))

    def _delivered(self, files: Sequence[InspectedFile]) -> Iterator[DeliveredFile]:
        rows_before: dict[str, int] = {}
        for file in files:
            converted = file.readable.path != file.path
            yield DeliveredFile(
                table=file.table,
                path=str(file.path),
                sha256=file.sha256,
                rows=file.rows,
                rows_before=rows_before.get(file.table, 0),
                unparsed_rows=file.unparsed_rows,
                amount=file.amount,
                rows_of_night=file.rows_of_night,
                amount_of_night=file.amount_of_night,
                read_from=f"converted/{file.readable.path.name}" if converted else None,
                read_sha256=sha256_of(file.readable.path) if converted else None,
                undeclared_columns=file.undeclared_columns,
            )
            rows_before[file.table] = rows_before.get(file.table, 0) + file.rows

    @contextmanager
    def _staging(self, identity: str) -> Iterator[Path]:
        """A folder for conversions, gone afterwards whatever happens."""
        folder = self.root / f".staging-{identity}"
        try:
            yield folder
        except OSError as error:
            raise LandingFailed(
                "the landing zone cannot be written",
                expected=f"room and permission in {self.root}",
                found=str(error),
                next_command="make room or grant permission there, then run the same command again",
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _keep_conversions(self, staging: Path) -> None:
        """Move conversions to where the manifest will name them."""
        if staging.is_dir():
            (self.root / "converted").mkdir(parents=True, exist_ok=True)
            for path in sorted(staging.iterdir()):
                os.replace(path, self.root / "converted" / path.name)

    def refuse_unregistrable(
        self,
        source: Source,
        identity: str,
        files: Sequence[DeliveredContent],
        kind: DeliveryKind,
        night: date | None,
        *,
        replaces: str | None = None,
    ) -> None:
        """Refuse what came before, for all deliveries but the one that is replaced; raises as `register` does."""
        if replaces is not None:
            refuse_unlike(self.manifests.need_registered(replaces), identity, kind, night)
        earlier = [each for each in self.deliveries(source.name) if each.delivery_id != replaces]
        refuse_overwritten(earlier, files)
        refuse_repeated(source, earlier, identity, files, night)

    def _replaced_already(self, replaces: str, identity: str) -> Delivery | None:
        """The delivery of these very files where it has taken that place before: a command may be run again."""
        found = self.manifests.find(replaces)
        if isinstance(found, Delivery) or found.replaced_by != identity:
            return None
        return next((each for each in self.deliveries() if each.delivery_id == identity), None)

    def withdraw(self, delivery_id: str, *, at: datetime) -> Delivery:
        """Retire a delivery without another in its place; raises `UnknownDelivery`."""
        delivery = self.manifests.need_registered(delivery_id)
        with self._staging(delivery_id) as staging:
            self.manifests.withdraw(delivery, staging, at=at)
        return delivery

    def _nothing(self, source: str, what: str, expected: str) -> UnknownDelivery:
        spans = [f"{d.kind} {d.first_night} to {d.last_night}" for d in self.deliveries(source)]
        return UnknownDelivery(
            what,
            expected=expected,
            found="; ".join(spans[-5:]) or "no delivery at all",
            next_command=f"athena load --source {source} <files>",
        )


def nights_of(
    source: Source,
    files: Sequence[InspectedFile],
    night: date | None,
    first_night: Night | None,
    last_night: Night | None,
) -> tuple[date, date]:
    """First and last night of a delivery; raises `UnreadableFile` when no row tells a night."""
    if night is not None:
        return night, night
    lines = [file for file in files if file.table == "order_lines"]
    firsts = [file.first_night for file in lines if file.first_night is not None]
    lasts = [file.last_night for file in lines if file.last_night is not None]
    if not firsts or not lasts:
        raise UnreadableFile(
            f"no order line of {source.name} lies before the moment of delivery",
            expected="at least one event in the past",
            found=", ".join(file.path.name for file in lines),
            next_command="check the dates of the file and the clock of this machine",
        )
    first = first_night.day if first_night is not None else min(firsts)
    return first, (last_night.day if last_night is not None else max(lasts))


def _changed(delivery: Delivery, path: Path, sha: str, found: str) -> DeliveryChanged:
    return DeliveryChanged(
        f"{path.name} is no longer the file that was registered",
        expected=f"SHA-256 {sha[:16]}... at {path}",
        found=found,
        next_command="put the registered file back; if the changed one is the corrected one, "
        + delivery.replacing_command(["FILES"]),
    )
