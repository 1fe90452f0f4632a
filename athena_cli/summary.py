"""What a command says at its end: figures read back from what it left, never from what it meant to do."""

from decimal import Decimal
from typing import Any

from athena_assets.nights import Night
from athena_assets.predictions.publish import LATEST
from athena_cli.clock import utc_now
from athena_cli.output import console, print_table
from athena_cli.workplace import Workplace
from checks import overrides

MONEY = Decimal("0.01")


def overrides_in_force(workplace: Workplace, night: Night | None = None) -> list[dict[str, Any]]:
    """What a person has let through and holds now, and what relied on it; those that ended, too, where a night did."""
    with workplace.warehouse.read() as connection:
        live = {each.id for each in overrides.live(connection, at=utc_now())}
        told = []
        for each in overrides.every(connection):
            used = overrides.relied_on_by(connection, each.id)
            if each.id in live or (night is not None and night.key in {partition for _, partition in used}):
                users = [f"{asset} {partition}".strip() for asset, partition in used]
                told.append({"override": each.id, "of": each.scope, "says": each.sentence(), "relied_on_by": users})
    return told


def print_overrides(told: list[dict[str, Any]]) -> None:
    """Overrides for a person, before anything that rests on them."""
    for each in told:
        users = ", ".join(each["relied_on_by"]) or "nothing yet"
        console.print(f"{each['of']}: {each['says']}\n  relied on by {users}", soft_wrap=True)


def night_summary(workplace: Workplace, night: Night) -> dict[str, Any]:
    """Rows and money of one night, and what was published of it."""
    with workplace.warehouse.read() as connection:
        ((rows, kept, quarantined, amount),) = connection.execute(
            "SELECT coalesce(sum(rows_in), 0), coalesce(sum(rows_kept), 0), coalesce(sum(rows_quarantined), 0),"
            " coalesce(sum(amount_in) FILTER (WHERE table_name = 'order_lines'), 0)"
            " FROM orders.accounting WHERE night = $night",
            {"night": night.day},
        ).fetchall()
        published = {
            f"{spec.name} predictions": connection.execute(
                f"SELECT count(*) FROM predictions.{spec.name} WHERE night = $night", {"night": night.day}
            ).fetchall()[0][0]
            for spec in workplace.athena.models
        }
    return {
        "rows in": int(rows),
        "rows kept": int(kept),
        "rows quarantined": int(quarantined),
        "money of order lines": amount,
        **published,
        "overrides": overrides_in_force(workplace, night),
    }


def evening_summary(workplace: Workplace) -> dict[str, Any]:
    """The whole home: accounts, champions beside their baselines, published files, the bill."""
    with workplace.warehouse.read() as connection:
        accounts = connection.execute(
            "SELECT table_name, CAST(sum(rows_in) AS BIGINT), CAST(sum(rows_kept) AS BIGINT),"
            " CAST(sum(rows_quarantined) AS BIGINT), sum(amount_in), sum(amount_kept), sum(amount_quarantined)"
            " FROM orders.all_accounting GROUP BY table_name ORDER BY table_name"
        ).fetchall()
        bill = connection.execute(
            "SELECT model, currency, sum(billed_cost), coalesce(sum(billed_cost) FILTER (WHERE basis = 'declared'), 0)"
            " FROM cost.tco WHERE month = (SELECT max(month) FROM cost.tco)"
            " GROUP BY model, currency ORDER BY starts_with(model, '__'), model"
        ).fetchall()
        nights = {
            spec.name: connection.execute(
                f"SELECT max(night), count(*) FILTER (WHERE night = (SELECT max(night) FROM predictions.{spec.name}))"
                f" FROM predictions.{spec.name}"
            ).fetchall()[0]
            for spec in workplace.athena.models
        }
    names = ("table", "rows_in", "kept", "quarantined", "amount_in", "amount_kept", "amount_quarantined")
    champions = [workplace.registry.champion(spec.name) for spec in workplace.athena.models]
    return {
        "source": workplace.source.name,
        "overrides": overrides_in_force(workplace),
        "currency": workplace.source.currency,
        "accounts": [dict(zip(names, row, strict=True)) for row in accounts],
        "champions": [
            {
                "model": champion.name,
                "version": champion.version,
                "judged_on": champion.manifest["judged_on"],
                "metrics": dict(champion.metrics),
                "baselines_auc": dict(champion.manifest["baselines"]),
            }
            for champion in champions
        ],
        "published": [
            {
                "model": name,
                "night": night,
                "customers": customers,
                "file": workplace.settings.published / "predictions" / name / LATEST,
            }
            for name, (night, customers) in nights.items()
        ],
        "tco_month_to_date": [
            {"model": model, "currency": currency, "billed_cost": cost, "of_it_declared": declared}
            for model, currency, cost, declared in bill
        ],
        "tco_page": workplace.settings.published / "tco.html",
    }


def print_evening(summary: dict[str, Any]) -> None:
    """The evening for a person: what came in, what was learned, what was published, what it cost, what is next."""
    print_overrides(summary["overrides"])
    print_table(
        f"Orders of {summary['source']}, money in {summary['currency']}",
        ["table", "rows in", "rows kept", "rows quarantined", "money in", "money kept", "money quarantined"],
        [list(account.values()) for account in summary["accounts"]],
    )
    for champion in summary["champions"]:
        metrics = champion["metrics"]
        rows = [["champion", metrics["auc"], metrics["brier"], metrics["calibration_error"]]]
        rows += [[name, auc, None, None] for name, auc in sorted(champion["baselines_auc"].items())]
        print_table(
            f"{champion['model']} version {champion['version']}, out of time on {champion['judged_on']}",
            ["", "AUC", "Brier", "calibration error"],
            rows,
        )
    for published in summary["published"]:
        console.print(
            f"published: {published['customers']:,} {published['model']} predictions of night {published['night']}",
            f"\n  {published['file']}",
            soft_wrap=True,
        )
    console.print("cost of the month in which the machine ran, open and unreconciled:")
    for line in summary["tco_month_to_date"]:
        who = line["model"].strip("_") + (" (belongs to no model)" if line["model"].startswith("__") else "")
        total, declared = line["billed_cost"].quantize(MONEY), line["of_it_declared"].quantize(MONEY)
        console.print(f"  {who}: {total:,} {line['currency']}, of which {declared:,} declared (people, licences)")
    console.print(f"  {summary['tco_page']}", soft_wrap=True)
    console.print(
        "next: make ui (the asset graph, checks, lineage) · .venv/bin/athena models · .venv/bin/athena features",
        soft_wrap=True,
    )
