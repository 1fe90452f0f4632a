"""`athena deliveries` and `athena withdraw`: what has been delivered, under which id, and taking one back."""

from typing import Annotated, Any

import typer

from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.manifests import RetiredDelivery
from athena_cli.clock import retailers_now
from athena_cli.output import console, print_json, print_table
from athena_cli.replacing import end_overrides, next_commands
from athena_cli.workplace import here


def deliveries(as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False) -> None:
    """List every delivery with its id, those too that were replaced or withdrawn."""
    place = here()
    landing, source = place.landing, place.record.source
    listed: list[tuple[Delivery, RetiredDelivery | None]] = [(each, None) for each in landing.deliveries(source)]
    listed += [(each.delivery, each) for each in landing.manifests.retired() if each.delivery.source == source]
    if as_json:
        print_json([_document(delivery, retired) for delivery, retired in listed])
        return
    print_table(
        f"Deliveries of {source}",
        ["id", "kind", "nights", "rows", "registered at", "files", "now"],
        [
            [
                delivery.delivery_id,
                delivery.kind,
                _nights(delivery),
                delivery.rows,
                delivery.registered_at.isoformat(sep=" ", timespec="seconds"),
                [file.path for file in delivery.files],
                "counts" if retired is None else retired.fate,
            ]
            for delivery, retired in listed
        ],
    )


def withdraw(
    delivery_id: Annotated[str, typer.Argument(help="Id of the delivery, as athena deliveries lists it.")],
) -> None:
    """Take a wrong delivery back for which there is no corrected one yet: nothing is read from it any more."""
    place = here()
    delivery = place.landing.withdraw(delivery_id, at=retailers_now(place.source.timezone))
    console.print(f"withdrew {delivery.kind} delivery {delivery_id} ({_nights(delivery)})")
    for line in end_overrides(place.settings, delivery, "athena withdraw"):
        console.print(line)
    console.print("once its files are corrected,")
    console.print(f"next: {next_commands(place.settings, delivery, withdrawn=True)}", soft_wrap=True)


def _nights(delivery: Delivery) -> str:
    last = str(delivery.last_night)
    return last if delivery.kind == "nightly" else f"{delivery.first_night} to {last}"


def _document(delivery: Delivery, retired: RetiredDelivery | None) -> dict[str, Any]:
    return {
        "delivery_id": delivery.delivery_id,
        "kind": delivery.kind,
        "first_night": delivery.first_night,
        "last_night": delivery.last_night,
        "rows": delivery.rows,
        "registered_at": delivery.registered_at.isoformat(),
        "files": [file.path for file in delivery.files],
        "undeclared_columns": sorted({name for file in delivery.files for name in file.undeclared_columns}),
        "replaces": delivery.replaces,
        "replaced_by": retired.replaced_by if retired is not None else None,
        "retired_at": retired.retired_at.isoformat() if retired is not None else None,
    }
