"""The same thing a second time, or at another time."""

import shutil
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tests.faults.corpus.fault import Fault, Scene, night_as_usual, nothing_to_mend, rewritten

if TYPE_CHECKING:
    from tests.conftest import Answer

KIND = "duplication"


def _yesterday_again(scene: Scene) -> "Answer":
    """The supplier's job did not export anew: it sent what it had sent the night before."""
    yesterday = str(date.fromisoformat(scene.night) - timedelta(days=1))
    shutil.copytree(scene.delivered(yesterday), scene.delivered(), dirs_exist_ok=True)
    return night_as_usual(scene)


def _sent_twice(scene: Scene) -> "Answer":
    """The first file lacks an order, which nobody can see; the whole one comes when the night has been published."""
    first = scene.folder / "delivered" / "order_lines.csv"
    lines = (scene.delivered() / "order_lines.csv").read_text().splitlines(keepends=True)
    last_order = lines[-1].partition(",")[0]
    first.write_text("".join(line for line in lines if not line.startswith(f"{last_order},")))
    for command in (("load", "--night", scene.night, first), ("night", scene.night)):
        answer = scene.athena(*command)
        assert answer.code == 0, answer.err
    return scene.athena("load", "--night", scene.night, scene.delivered())


FAULTS = (
    Fault(
        "export_twice_in_one_file",
        KIND,
        "clean",
        "the export was appended to itself: the whole day stands in the file twice",
        "lines",
        ("orders.quarantine: reason.copies",),
        spoil=rewritten(order_lines="SELECT * FROM delivered UNION ALL SELECT * FROM delivered"),
        stops=False,
        blocks=False,
    ),
    Fault(
        "every_line_twice",
        KIND,
        "raw",
        "a join in the export went wrong: every line stands twice, one below the other",
        "lines",
        ("orders.order_lines: repeated.share",),
        spoil=rewritten(
            order_lines="SELECT * FROM (SELECT * FROM delivered UNION ALL SELECT * FROM delivered)"
            " ORDER BY InvoiceDate, Invoice, StockCode, Quantity, Price"
        ),
    ),
    Fault(
        "yesterday_again",
        KIND,
        "delivery",
        "the file of the night before comes once more as tonight's",
        "lines",
        ("AlreadyDelivered",),
        provoke=_yesterday_again,
    ),
    Fault(
        "night_sent_twice",
        KIND,
        "delivery",
        "a second file with one order more comes for a night that is published, and does not say what it replaces",
        "lines",
        ("AlreadyDelivered",),
        provoke=_sent_twice,
        mend=nothing_to_mend,
        mended_by="somebody decides that the second file is the right one",
        blocks=False,
    ),
    Fault(
        "headers_twice",
        KIND,
        "clean",
        "every order has two headers",
        "tables",
        ("orders.quarantine: reason.copies",),
        spoil=rewritten(orders="SELECT * FROM delivered UNION ALL SELECT * FROM delivered"),
        stops=False,
        blocks=False,
    ),
)
