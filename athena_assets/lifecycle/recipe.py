"""The one thing a model folder must be able to do, and how it is loaded."""

import importlib.util
from collections.abc import Mapping
from types import ModuleType
from typing import Protocol, cast

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.fitted import FittedModel, Ranking
from athena_assets.lifecycle.model_spec import ModelSpec


class InvalidRecipe(AthenaError):
    """A model folder's `recipe.py` is missing or lacks a function."""


class Recipe(Protocol):
    """What `recipe.py` offers; parameters come from `algorithm.defaults` or the search."""

    def fit_ranking(self, data: Dataset, spec: ModelSpec, parameters: Mapping[str, float | int]) -> Ranking:
        """The score without a level: what the search compares."""

    def fit(
        self, data: Dataset, spec: ModelSpec, parameters: Mapping[str, float | int], *, slope: float
    ) -> FittedModel:
        """The whole model, level included."""


def load_recipe(spec: ModelSpec) -> Recipe:
    """The recipe in the model's folder; raises `InvalidRecipe`."""
    path = spec.folder / "recipe.py"
    if not path.is_file():
        raise InvalidRecipe(f"{spec.name}/recipe.py is missing", expected="fit_ranking and fit", found="no file")
    found = importlib.util.spec_from_file_location(f"athena_assets.models.{spec.name}.recipe", path)
    if found is None or found.loader is None:
        raise InvalidRecipe(f"{spec.name}/recipe.py cannot be imported", expected="a Python module")
    module: ModuleType = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    for function in ("fit_ranking", "fit"):
        if not callable(getattr(module, function, None)):
            raise InvalidRecipe(
                f"{spec.name}/recipe.py lacks {function}", expected=f"def {function}(data, spec, parameters)"
            )
    return cast(Recipe, module)
