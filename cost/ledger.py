"""Reads the bill back from the warehouse, so that the page shows what the checks have seen."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from athena_assets.errors import AthenaError
from cost.focus import COLUMNS, Charge
from cost.period import Month
from cost.tco import EvenRule, Tco, TcoRow
from cost.usage import RUN_TOTAL

if TYPE_CHECKING:
    import duckdb


_MOMENTS = [place for place, name in enumerate(COLUMNS) if COLUMNS[name] == "TIMESTAMP"]
"""Where the moments of a charge are, none of them ever null."""


class NothingCharged(AthenaError):
    """The month has no charges in the warehouse."""


def latest_month(connection: "duckdb.DuckDBPyConnection") -> Month:
    """The last month that was rolled up; raises `NothingCharged` where there is none."""
    ((month,),) = connection.execute("SELECT max(month) FROM cost.tco").fetchall()
    if month is None:
        raise NothingCharged(
            "nothing has been charged yet",
            expected="rows in cost.tco",
            found="none",
            next_command="materialise cost/tco",
        )
    return Month.of(datetime(month.year, month.month, 1, tzinfo=UTC))


def read_charges(connection: "duckdb.DuckDBPyConnection", month: Month) -> list[Charge]:
    """The charges of a month, in order of their id."""
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    rows = connection.execute(
        f'SELECT {names} FROM cost.charge WHERE CAST("BillingPeriodStart" AS DATE) = $month ORDER BY "x_ChargeId"',
        {"month": month.start.date()},
    ).fetchall()
    return [_charge(row) for row in rows]


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
        as_of=as_of.replace(tzinfo=UTC),
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


def runs_without_total(connection: "duckdb.DuckDBPyConnection", month: Month, *, but: str) -> list[str]:
    """Runs of the month whose overhead is not known, `but` the one that is asking and cannot have ended."""
    rows = connection.execute(
        "SELECT run_id FROM cost.usage WHERE month = $month AND meter = 'cpu' AND run_id <> $but"
        " GROUP BY run_id HAVING NOT bool_or(step = $total) ORDER BY run_id",
        {"month": month.start.date(), "but": but, "total": RUN_TOTAL},
    ).fetchall()
    return [str(run_id) for (run_id,) in rows]


def _charge(row: tuple[Any, ...]) -> Charge:
    values = list(row)
    for place in _MOMENTS:
        values[place] = values[place].replace(tzinfo=UTC)
    return Charge(*values)
