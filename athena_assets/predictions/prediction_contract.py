"""The contracts of a model's candidate and published tables: one template, completed from the model's folder."""

from dataclasses import replace
from decimal import Decimal

from athena_assets.lifecycle.model_spec import ModelSpec
from checks.contract import Column, Contract, Severity
from checks.contract_files import load_contract

CANDIDATE_TEMPLATE = "predictions.classification_candidate"
PROBABILITY = "{probability}"
"""What a template's rules call the probability, whose name is the model's."""
PUBLISHED_TEMPLATE = "predictions.classification"


def probability_column(spec: ModelSpec) -> str:
    """Name of the published probability, for instance `churn_probability`."""
    return f"{spec.name}_probability"


def candidate_contract(spec: ModelSpec) -> Contract:
    """The contract of `predictions.<model>_candidate`."""
    return completed_candidate(load_contract(CANDIDATE_TEMPLATE), spec)


def published_contract(spec: ModelSpec) -> Contract:
    """The contract of `predictions.<model>`."""
    return completed_published(load_contract(PUBLISHED_TEMPLATE), spec)


def completed_candidate(template: Contract, spec: ModelSpec) -> Contract:
    """A template of candidate tables, completed for one model."""
    return _complete(template.named("predictions", f"{spec.name}_candidate"), spec)


def completed_published(template: Contract, spec: ModelSpec) -> Contract:
    """A template of published tables, completed for one model."""
    return _complete(template.named("predictions", spec.name), spec)


def _complete(contract: Contract, spec: ModelSpec) -> Contract:
    """Put the probability after `as_of` and into the rules, the model's own tiers into `risk_tier`.

    A rule that the model stops on (`monitoring.stop_on`) blocks; the template only informs.
    """
    probability = Column(
        name=probability_column(spec),
        type="DOUBLE",
        description=f"Calibrated probability of {spec.name} within {spec.horizon_days} days.",
        required=True,
        minimum=Decimal(0),
        maximum=Decimal(1),
        unit="probability",
    )
    columns = []
    for column in contract.columns:
        columns.append(replace(column, accepted=tuple(spec.risk_tiers)) if column.name == "risk_tier" else column)
        if column.name == "as_of":
            columns.append(probability)
    rules = []
    for rule in contract.rules:
        severity: Severity = "ERROR" if rule.id in spec.monitoring.stop_on else rule.severity
        expression = rule.expression.replace(PROBABILITY, f'"{probability_column(spec)}"')
        rules.append(replace(rule, severity=severity, expression=expression))
    return replace(contract, columns=tuple(columns), rules=tuple(rules))
