"""The drift check of a model's candidate: a night's features against what its champion was trained on."""

from collections.abc import Iterator

import dagster as dg
import duckdb

from athena_assets.features.feature_contract import TABLE
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.artifact import read_profile
from athena_assets.lifecycle.drift_rules import drift_check, judge_drift
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.profile import Profile, histograms_of_night
from athena_assets.lifecycle.training_run import drifting_features
from athena_assets.lifecycle.training_set import model_features
from athena_assets.nights import Night
from athena_assets.predictions.prediction_contract import candidate_contract
from checks.blocking import check_spec, partitions_of
from checks.compiler import CheckName
from checks.contract import Contract
from checks.past import past_figures
from checks.reporting import Outcome, report
from checks.rules import RuleResult
from checks.table_checks import outcome_of
from resources.registry import ModelRegistry
from resources.steps import step
from resources.tables import key_of
from resources.warehouse import Warehouse


def build_drift_check(
    spec: ModelSpec, feature_set: FeatureSet, nights: dg.PartitionsDefinition
) -> dg.AssetChecksDefinition:
    """`drift_warnings` of `predictions.<model>_candidate`, or the blocking `drift` where the model stops on it."""
    contract = candidate_contract(spec)
    check_name = drift_check(spec, drifting_features(model_features(spec, feature_set)))
    words = f"Features of the night against the rows that {spec.name} was trained on (PSI above 0.2)."
    asset_check = check_spec(
        check_name.name,
        key_of(contract),
        words,
        nights,
        rules_hash=check_name.rules_hash,
        severity=check_name.severity,
    )

    @dg.multi_asset_check(
        name=f"check_{contract.schema}_{contract.table}_drift",
        specs=[asset_check],
        op_tags={"athena/kind": "check"},
        pool="warehouse",
    )
    @step
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse, registry: dg.ResourceParam[ModelRegistry]
    ) -> Iterator[dg.AssetCheckResult]:
        def found_in(night: Night, connection: duckdb.DuckDBPyConnection) -> list[Outcome]:
            profile = _profile(connection, registry, contract, night)
            found = drift_of_night(connection, contract, check_name, profile, night)
            return [outcome_of(check_name, found, max((each.rows for each in found), default=0))]

        with warehouse.write(settled=False) as connection:
            keys = map(str, partitions_of(context, nights))
            found = ((key, found_in(Night.parse(key), connection)) for key in keys)
            results = report(context, connection, contract, found)
        yield from results

    return check


def drift_of_night(
    connection: duckdb.DuckDBPyConnection, contract: Contract, check_name: CheckName, profile: Profile, night: Night
) -> tuple[RuleResult, ...]:
    """The PSI of every feature that the version's profile knows; the others are not evaluated."""
    tonight = histograms_of_night(connection, TABLE, night.day, profile)
    past = past_figures(connection, contract, check_name.rules, before=night.key)
    names = [rule.id.removeprefix("psi.") for rule in check_name.rules]
    return tuple(
        judge_drift(rule, profile.get(name), tonight.get(name), past.get(rule.id, ()))
        for rule, name in zip(check_name.rules, names, strict=True)
    )


def _profile(
    connection: duckdb.DuckDBPyConnection, registry: ModelRegistry, contract: Contract, night: Night
) -> Profile:
    """What the version that scored the night was trained on; empty where nothing was scored."""
    ((version,),) = connection.execute(
        f"SELECT max(model_version) FROM {contract.address} WHERE night = $night", {"night": night.day}
    ).fetchall()
    model = contract.table.removesuffix("_candidate")
    return read_profile(registry.version(model, version).path) if version is not None else {}
