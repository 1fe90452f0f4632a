"""The contracts of a model's own tables: templates under the model's name, the training set with its features."""

from dataclasses import dataclass

from athena_assets.features.feature_contract import feature_columns
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.training_set import model_features
from checks.contract import Contract, load_contract


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
        tables = {
            table: load_contract(f"model.{table}").named(spec.name, table)
            for table in ("training_set", "trained", "evaluation", "registered")
        }
        columns = feature_columns(model_features(spec, feature_set))
        return cls(**{**tables, "training_set": tables["training_set"].with_columns(columns)})

    def all(self) -> tuple[Contract, ...]:
        """All four, in the order in which they are made."""
        return (self.training_set, self.trained, self.evaluation, self.registered)
