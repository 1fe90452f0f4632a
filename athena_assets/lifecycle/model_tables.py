"""The contracts of a model's own tables: templates under the model's name, the training set with its features."""

from dataclasses import dataclass

from athena_assets.features.feature_contract import feature_columns
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.training_set import model_features
from checks.contract import Contract
from checks.contract_files import load_contract


@dataclass(frozen=True)
class ModelTables:
    """Contracts of one model's own tables."""

    training_set: Contract
    trained: Contract
    evaluation: Contract
    registered: Contract

    @classmethod
    def of(cls, spec: ModelSpec, feature_set: FeatureSet) -> "ModelTables":
        """The templates, named for the model; the training set takes its columns from the model's features."""
        tables = ("training_set", "trained", "evaluation", "registered")
        return cls(**{table: complete_table(load_contract(f"model.{table}"), spec, feature_set) for table in tables})

    def all(self) -> tuple[Contract, ...]:
        """All four, in the order in which they are made."""
        return (self.training_set, self.trained, self.evaluation, self.registered)


def complete_table(template: Contract, spec: ModelSpec, feature_set: FeatureSet) -> Contract:
    """The template of one of the tables, completed for a model."""
    own = template.named(spec.name, template.table)
    if template.table != "training_set":
        return own
    return own.with_columns(feature_columns(model_features(spec, feature_set)))
