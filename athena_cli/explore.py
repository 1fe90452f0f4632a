"""`athena features`: what features there are, what a customer's were at any day, and why a risk is what it is."""

from dataclasses import asdict
from typing import Annotated

import typer

from athena_assets.errors import InvalidArgument
from athena_assets.features.evaluate import evaluate_customers
from athena_assets.features.listing import registry, unused
from athena_assets.features.words import words
from athena_assets.lifecycle.artifact import load_artifact
from athena_assets.lifecycle.dataset import to_matrix
from athena_assets.lifecycle.reasons import explain
from athena_assets.nights import Night
from athena_assets.predictions.scores import reasons_for, refuse_changed_features
from athena_cli.output import console, print_json, print_table
from athena_cli.training import chosen_model, midnight
from athena_cli.workplace import Workplace, here

STRONGEST = 10


def features(
    customer: Annotated[str | None, typer.Option(help="A customer, for instance C-12345.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="The day that begins at as_of, YYYY-MM-DD; default: after the last night.")
    ] = None,
    explain_risk: Annotated[bool, typer.Option("--explain", help="Why the champion says what it says.")] = False,
    model: Annotated[str | None, typer.Option(help="The model to explain; default: the only one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """List the features, or compute a customer's at any day with the text that the night uses."""
    workplace = here()
    if customer is None:
        if as_of is not None or explain_risk:
            raise InvalidArgument("which customer?", expected="--customer with --as-of or --explain", found="none")
        _list(workplace, as_json)
        return
    night = _night_before(workplace, as_of)
    if explain_risk:
        _explain(workplace, customer, night, model, as_json)
    else:
        _show(workplace, customer, night, as_json)


def _night_before(workplace: Workplace, as_of: str | None) -> Night:
    """The night that ends where `as_of` begins, by default the last one; raises `InvalidArgument` beyond it."""
    last = workplace.retailer.last_delivered
    if last is None:
        raise InvalidArgument("nothing has been delivered", expected="orders", found="none", next_command="athena run")
    night = Night.of_as_of(midnight(as_of)) if as_of is not None else last
    if night > last:
        raise InvalidArgument(
            f"what was known when {as_of} began has not been delivered",
            expected=f"a day up to {last.plus(1).key}, the one after the last delivered night",
            found=as_of,
            next_command=f"athena load --night {last.plus(1).key} FILES",
        )
    return night


def _list(workplace: Workplace, as_json: bool) -> None:
    feature_set = workplace.athena.feature_set
    consumers = {spec.name: spec.features.resolve(feature_set.columns) for spec in workplace.athena.models}
    entries = registry(feature_set, consumers)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    print_table(
        f"Features, set {feature_set.version}",
        ["feature", "type", "unit", "window", "owner", "consumers", "description"],
        [
            [
                entry.name,
                entry.dtype,
                entry.unit,
                entry.window,
                entry.owner,
                ", ".join(entry.consumers) if entry.unavailable is None else f"unavailable: {entry.unavailable}",
                entry.description,
            ]
            for entry in entries
        ],
    )
    if idle := unused(entries):
        console.print(f"computed and used by no model: {', '.join(idle)}", soft_wrap=True)


def _show(workplace: Workplace, customer: str, night: Night, as_json: bool) -> None:
    feature_set = workplace.athena.feature_set
    with workplace.orders() as connection:
        table = evaluate_customers(connection, feature_set, [customer], as_of=night.as_of, cutoff=night.cutoff)
    (row,) = table.to_pylist()
    if as_json:
        print_json({**row, "feature_set_version": feature_set.version, "unavailable": dict(feature_set.unavailable)})
        return
    print_table(
        f"{customer} as of {night.as_of:%Y-%m-%d}, as known at {night.cutoff:%Y-%m-%d %H:%M}",
        ["feature", "value", "unit", "in words"],
        [
            [name, row[name], feature_set.by_name[name].unit, words(feature_set.by_name[name], row[name])]
            for name in feature_set.columns
        ],
    )
    for name, reason in sorted(feature_set.unavailable.items()):
        console.print(f"unavailable: {name}: {reason}")


def _explain(workplace: Workplace, customer: str, night: Night, model: str | None, as_json: bool) -> None:
    spec = chosen_model(workplace, model)
    champion = workplace.registry.champion(spec.name)
    artifact = load_artifact(champion.path)
    feature_set = workplace.athena.feature_set
    refuse_changed_features(artifact, feature_set)
    own = feature_set.select(artifact.model.features)
    nights = [
        day for (day,) in workplace.ask("SELECT DISTINCT night FROM features.customer_features") if day <= night.day
    ]
    if not nights:
        raise InvalidArgument(
            f"no night up to {night.key} has been run, and reasons are told against a night's customers",
            expected="a night to compare with",
            found="none",
            next_command=f"athena features --customer {customer} --explain --as-of a day after the first night",
        )
    with workplace.orders() as connection:
        table = evaluate_customers(connection, own, [customer], as_of=night.as_of, cutoff=night.cutoff)
        population = connection.sql(
            f"SELECT {', '.join(own.columns)} FROM features.customer_features WHERE night = $night",
            params={"night": max(nights)},
        ).to_arrow_table()
    matrix, others = to_matrix(table, own.columns), to_matrix(population, own.columns)
    probability = float(artifact.model.probability(matrix)[0])
    explanation = explain(artifact.model, matrix, others)
    (reasons,) = reasons_for(spec, artifact, matrix, others, feature_set)
    contributions = dict(zip(own.columns, explanation.contributions[0].tolist(), strict=True))
    strongest = sorted(contributions.items(), key=lambda item: -abs(item[1]))[:STRONGEST]
    if as_json:
        print_json(
            {
                "customer_id": customer,
                "as_of": night.as_of,
                "probability": round(probability, 6),
                "model_version": champion.version,
                "reasons": list(reasons),
                "base": float(explanation.base[0]),
                "contributions": contributions,
            }
        )
        return
    console.print(
        f"{customer}: {spec.name} within {spec.horizon_days} days of {night.as_of:%Y-%m-%d}:"
        f" {probability:.1%} (version {champion.version})",
    )
    for reason in reasons:
        console.print(f"  because: {reason}")
    print_table(
        "Strongest contributions, in logits (above 0 raises the risk)",
        ["feature", "value", "contribution"],
        [[name, table.column(name)[0].as_py(), value] for name, value in strongest],
    )
