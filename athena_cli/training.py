"""`athena train` and `athena backtest`: models for production, and the recipe judged at a chosen day."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from uuid import uuid4

import typer

from athena_assets.errors import InvalidArgument
from athena_assets.lifecycle.backtesting import Look, backtest_at, write_look
from athena_assets.lifecycle.model_spec import ModelSpec, find_model
from athena_assets.lifecycle.snapshots import NotEnoughHistory
from athena_assets.lifecycle.training import Judged
from athena_assets.lifecycle.training_run import code_version
from athena_assets.lifecycle.training_set import model_features
from athena_assets.nights import A_DAY, Night, day_of
from athena_cli.output import console, doing, print_json, print_table
from athena_cli.workplace import Workplace, here
from cost.period import Month
from resources.meter import Meter

JOB = "training"


def train(
    model: Annotated[str | None, typer.Argument(help="Model to train; default: every model.")] = None,
    month: Annotated[
        str | None, typer.Option(help="Month to train on, YYYY-MM; default: the last one that has been landed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Train, judge out of time, pass the gate, register and promote."""
    workplace = here()
    chosen = _chosen_month(workplace, month)
    train_month(workplace, chosen, model=model)
    names = [model] if model is not None else [spec.name for spec in workplace.athena.models]
    champions = [workplace.registry.champion(name) for name in names]
    if as_json:
        print_json([{"model": each.name, "version": each.version, "metrics": dict(each.metrics)} for each in champions])
        return
    for each in champions:
        rows = [[name, float(value)] for name, value in sorted(each.metrics.items())]
        print_table(f"{each.name} version {each.version}, {each.stage}", ["metric", "out of time"], rows)


def train_month(workplace: Workplace, month: date, *, model: str | None = None) -> None:
    """Run the training job of a month (its first day), for one model or for all."""
    if model is not None:
        find_model(model)
    first = workplace.ask("SELECT min(order_ts) FROM orders.all_orders")
    if not first or first[0][0] is None:
        raise NotEnoughHistory(
            f"there is no order to train on before {month_after(month):%Y-%m-%d}",
            expected="a bulk delivery that reaches before the first night, landed and cleaned",
            found="no order",
            next_command="athena run, or load a longer history into a fresh home (ATHENA_HOME)",
        )
    what = model or "every model"
    with doing(f"training {what} on what was known when {month:%B %Y} ended"):
        workplace.orchestrator.execute(JOB, partition=month.isoformat(), group=f"model_{model}" if model else None)


def month_after(month: date) -> date:
    """The first day of the month that follows."""
    return (month + timedelta(days=32)).replace(day=1)


def month_before(night: Night) -> date:
    """The month that had ended when the night's day began, as its first day."""
    return (night.day.replace(day=1) - timedelta(days=1)).replace(day=1)


def last_complete_month(workplace: Workplace) -> date:
    """The last month of which every night has been delivered."""
    retailer = workplace.retailer
    last = retailer.last_delivered or retailer.first_night.plus(-1)
    return max(month_before(last.plus(1)), retailer.first_training_month)


def _chosen_month(workplace: Workplace, text: str | None) -> date:
    """The month that is meant; raises `InvalidArgument` for one that ended before the nights or has not ended."""
    last = last_complete_month(workplace)
    if text is None:
        return last
    month = Month.parse(text).start.date()
    first = workplace.retailer.first_training_month
    if not first <= month <= last:
        raise InvalidArgument(
            f"{text} cannot be trained on",
            expected=f"a month from {first:%Y-%m} (before the first night) to {last:%Y-%m} (delivered to its end)",
            found=text,
            next_command=f"athena train --month {last:%Y-%m}, or athena backtest --as-of for earlier days",
        )
    return month


def backtest(
    as_of: Annotated[str, typer.Option(help="The day to judge at, YYYY-MM-DD.")],
    model: Annotated[str | None, typer.Argument(help="Model; default: the only one.")] = None,
    snapshot: Annotated[
        list[str] | None, typer.Option(help="Training snapshot, YYYY-MM-DD; repeat. Default: the model's policy.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Judge the recipe at a day as if trained then, beside its baselines. Nothing is registered."""
    workplace = here()
    spec = chosen_model(workplace, model)
    day = midnight(as_of)
    last = workplace.retailer.last_delivered
    if last is None:
        raise InvalidArgument("nothing has been delivered", expected="orders to judge on", found="none")
    meter = Meter(workplace.settings.home)
    run_id = f"backtest-{uuid4()}"
    with (
        doing(f"judging {spec.name} at {as_of}"),
        meter.measure(run_id=run_id, step="backtest", stage="experimentation", model=spec.name),
        workplace.orders() as connection,
    ):
        judged = backtest_at(
            connection,
            spec,
            model_features(spec, workplace.athena.feature_set),
            as_of=day,
            known_until=last.as_of,
            snapshots=[midnight(text) for text in snapshot] if snapshot else None,
        )
    look = Look(spec.name, day, judged.report.training, code_version(spec), datetime.now(UTC))
    looks = write_look(workplace.settings.home / "registry", look)
    if as_json:
        print_json({**judged.report.as_dict(), "parameters": judged.search.parameters, "looks": looks})
        return
    print_report(judged, looks)


def chosen_model(workplace: Workplace, name: str | None) -> ModelSpec:
    """The model that a command means; raises `InvalidArgument` where it does not say and there are several."""
    if name is not None:
        return find_model(name)
    models = workplace.athena.models
    if len(models) != 1:
        raise InvalidArgument(
            "which model?", expected=f"one of {', '.join(spec.name for spec in models)}", found="no name"
        )
    return models[0]


def print_report(judged: Judged, looks: int) -> None:
    """The evaluation for a person: metrics with intervals, then each baseline with the paired difference in words."""
    report = judged.report
    trained = ", ".join(f"{day:%Y-%m-%d}" for day in report.training)
    console.print(f"{report.customers:,} customers at {report.evaluation:%Y-%m-%d}; trained on {trained}")
    console.print(f"happened to {report.label_rate:.3f}, predicted {report.mean_probability:.3f} on average")
    rows = [[name, one.value, one.low, one.high] for name, one in report.metrics.items()]
    print_table(report.model, ["metric", "value", "low", "high"], rows)
    print_table(
        "baselines",
        ["baseline", "AUC", "Brier", "calibration error", "difference"],
        [[one.name, one.auc.value, one.brier, one.calibration_error, one.words] for one in report.baselines],
    )
    console.print(f"look number {looks} at this snapshot in this home")


def midnight(text: str) -> datetime:
    """The midnight at which a calendar day begins; raises `InvalidArgument` for what is none."""
    try:
        return datetime.combine(day_of(text), time())
    except ValueError:
        raise InvalidArgument(f"{text!r} is not a day", expected=A_DAY, found=text) from None
