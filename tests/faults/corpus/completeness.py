"""Something is not there: values, rows, hours, files, a whole night."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.corpus.fault import Fault, Kind, Scene, changed_text, rewritten

if TYPE_CHECKING:
    from tests.conftest import Answer


def _nulls(name: str, share: int, column: str, caught_by: tuple[str, ...], *, warns: bool = False) -> Fault:
    return Fault(
        name,
        "completeness",
        "raw",
        f"{share} % of the lines come without `{column}`",
        "lines",
        caught_by,
        spoil=rewritten(
            order_lines=f"SELECT * REPLACE (CASE WHEN row_number() OVER () * {share} % 100 < {share} THEN NULL"
            f' ELSE "{column}" END AS "{column}") FROM delivered'
        ),
        stops=not warns,
        blocks=not warns,
    )


def _emptied(folder: Path) -> None:
    (folder / "order_lines.csv").write_bytes(b"")


def _removed(table: str) -> Callable[[Path], None]:
    return lambda folder: (folder / f"{table}.parquet").unlink()


def _cut_parquet(folder: Path) -> None:
    path = folder / "order_lines.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])


KIND: Kind = "completeness"
SATURDAY = "2024-10-19"
"""One of the good nights; the shop declares that it is closed on Saturdays."""


def _nothing_came(scene: Scene) -> "Answer":
    """The schedule runs the night, and nothing was delivered for it."""
    return scene.athena("night", scene.night)


def _closed_saturday(scene: Scene) -> "Answer":
    """Last Saturday's rows turn out to have been another day's: its file comes again, with a header alone."""
    manifests = (scene.home / "landing" / "deliveries").glob("*.json")
    (delivery,) = [each for each in map(json.loads, map(Path.read_text, manifests)) if each["last_night"] == SATURDAY]
    file = scene.folder / "order_lines.csv"
    file.write_text((scene.delivered() / "order_lines.csv").read_text().splitlines()[0] + "\n")
    loaded = scene.athena("load", "--night", SATURDAY, "--replaces", delivery["delivery_id"], file)
    assert loaded.code == 0, loaded.err
    return scene.athena("night", SATURDAY, "--current")


def _late(scene: Scene) -> "Answer":
    """Tomorrow's file is there before tonight's, and its night is run."""
    tomorrow = str(date.fromisoformat(scene.night) + timedelta(days=1))
    loaded = scene.athena("load", "--night", tomorrow, scene.delivered(tomorrow))
    assert loaded.code == 0, loaded.err
    return scene.athena("night", tomorrow)


FAULTS = (
    Fault(
        "delivery_missing",
        KIND,
        "delivery",
        "nothing came for the night",
        "lines",
        ("NightNotDelivered",),
        provoke=_nothing_came,
        mended_by="the supplier delivers",
    ),
    Fault(
        "delivery_late",
        KIND,
        "delivery",
        "the night's file is late: the next one is there and is run before it",
        "lines",
        ("UpstreamUnverified",),
        provoke=_late,
        mended_by="the supplier delivers",
        nights=2,
    ),
    _nulls("nulls_1_percent", 1, "Description", ()),
    _nulls("nulls_3_percent", 3, "Country", ("orders.order_lines: country.null_share_alert",), warns=True),
    _nulls("nulls_6_percent", 6, "Customer ID", ("orders.order_lines: customer_id.null_share",)),
    _nulls(
        "nulls_94_percent",
        94,
        "Customer ID",
        ("orders.order_lines: customer_id.null_limit", "orders.order_lines: customer_id.null_share"),
    ),
    Fault(
        "required_value_missing",
        KIND,
        "delivery",
        "two orders come without their total",
        "tables",
        ("TooManyUnparseable",),
        spoil=rewritten(
            orders="SELECT * REPLACE (CASE WHEN row_number() OVER () > 2 THEN total_order_amount END"
            " AS total_order_amount) FROM delivered"
        ),
    ),
    Fault("file_empty", KIND, "delivery", "the file has no byte", "lines", ("UnreadableFile",), spoil=_emptied),
    Fault(
        "file_header_only",
        KIND,
        "raw",
        "the file of a day on which the shop was open has a header and no row",
        "lines",
        ("raw.order_lines: rows.open_day",),
        spoil=rewritten(order_lines="SELECT * FROM delivered LIMIT 0"),
    ),
    Fault(
        "closed_day",
        KIND,
        "raw",
        "the file of a Saturday, on which the shop is closed, has a header and no row",
        "lines",
        (),
        changes_scores=True,
        provoke=_closed_saturday,
    ),
    Fault(
        "table_missing",
        KIND,
        "delivery",
        "one of the six tables was not sent",
        "tables",
        ("UnreadableFile",),
        spoil=_removed("customers"),
    ),
    Fault(
        "table_without_rows",
        KIND,
        "raw",
        "the orders come without a row, the lines come whole",
        "tables",
        ("raw.orders: rows.open_day",),
        spoil=rewritten(orders="SELECT * FROM delivered LIMIT 0"),
    ),
    Fault(
        "contacts_missing",
        KIND,
        "clean",
        "the files of the contacts with customer service and of the campaigns have no row",
        "tables",
        ("orders.campaign_contacts: contacts.level",),
        spoil=rewritten(
            service_contacts="SELECT * FROM delivered LIMIT 0", campaign_contacts="SELECT * FROM delivered LIMIT 0"
        ),
        stops=False,
        blocks=False,
    ),
    Fault(
        "half_a_day",
        KIND,
        "raw",
        "the export ran at noon: the afternoon is missing",
        "lines",
        ("orders.orders: orders.level",),
        spoil=rewritten(order_lines="SELECT * FROM delivered WHERE hour(CAST(InvoiceDate AS TIMESTAMP)) < 12"),
    ),
    Fault(
        "pages_missing",
        KIND,
        "raw",
        "most pages of a paged export are missing in all tables alike: three orders in four, spread over the day",
        "tables",
        ("orders.orders: orders.level",),
        spoil=rewritten(
            orders="SELECT * FROM delivered WHERE hash(order_id) % 4 = 0",
            order_lines="SELECT * FROM delivered WHERE hash(order_id) % 4 = 0",
        ),
    ),
    Fault(
        "lines_lost",
        KIND,
        "clean",
        "one line in ten got lost on the way, and orders no longer add up",
        "tables",
        ("orders.accounting: quarantined.share",),
        spoil=rewritten(order_lines="SELECT * FROM delivered WHERE hash(order_id, product_id, quantity) % 10 <> 0"),
    ),
    Fault(
        "text_truncated",
        KIND,
        "delivery",
        "the transfer broke off within a line",
        "lines",
        ("UnreadableFile",),
        spoil=changed_text("order_lines", lambda text: text[: len(text) * 3 // 5].rsplit(",", 2)[0]),
    ),
    Fault(
        "parquet_truncated",
        KIND,
        "delivery",
        "the transfer of a Parquet file broke off",
        "tables",
        ("UnreadableFile",),
        spoil=_cut_parquet,
    ),
)
