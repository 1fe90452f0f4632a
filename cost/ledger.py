"""Reads the bill back from the warehouse, so that the page shows what the checks have seen."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from athena_assets.errors import AthenaError
from cost.focus import COLUMNS, Charge
from cost.period import Month
from cost.tco import EvenRule, Tco, TcoRow

if TYPE_CHECKING:
    import duckdb


class NothingCharged(AthenaError):
    """The month has no charges in the warehouse."""


def read_charges(connection: "duckdb.DuckDBPyConnection", month: Month) -> list[Charge]:
    """The charges of a month, in order of their id."""
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    rows = connection.execute(
        f'SELECT {names} FROM cost.charge WHERE CAST("BillingPeriodStart" AS DATE) = $month ORDER BY "x_ChargeId"',
        {"month": month.start.date()},
    ).fetchall()
    return [Charge(*(_aware(value) for value in row)) for row in rows]


def read_tco(connection: "duckdb.DuckDBPyConnection", month: Month, models: tuple[str, ...]) -> Tco:
    """The roll-up of a month as it stands; raises `NothingCharged` where there is none.

    models: who shared what is not one's own when it was rolled up.
    """
    rows = connection.execute(
        "SELECT as_of, currency, model, category, subcategory, basis, method, rule_id, rule_version, billed_cost,"
        " effective_cost FROM cost.tco WHERE month = $month ORDER BY model, category, subcategory, basis, method",
        {"month": month.start.date()},
    ).fetchall()
    if not rows:
        raise NothingCharged(
            f"{month.key} has no charges",
            expected="rows in cost.tco",
            found="none",
            next_command="materialise cost/tco",
        )
    as_of, currency = rows[0][:2]
    return Tco(
        month=month,
        as_of=_aware(as_of),
        currency=currency,
        rule=EvenRule(tuple(sorted(models))),
        rows=tuple(TcoRow(*row[2:]) for row in rows),
    )


def predictions_of(connection: "duckdb.DuckDBPyConnection", month: Month, models: tuple[str, ...]) -> dict[str, int]:
    """Rows that each model's successful inference steps put out in the month, reruns included."""
    counted = dict(
        connection.execute(
            "SELECT model, CAST(sum(quantity) AS BIGINT) FROM cost.usage WHERE month = $month AND stage = 'inference'"
            " AND meter = 'rows_out' AND outcome = 'succeeded' AND model IS NOT NULL GROUP BY model",
            {"month": month.start.date()},
        ).fetchall()
    )
    return {model: int(counted.get(model, 0)) for model in models}


def _aware[Value](value: Value) -> Value | datetime:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
