"""A model folder's declaration: what is read, and how each fault is said."""

from pathlib import Path

import pytest
import yaml

from athena_assets.lifecycle.model_spec import (
    InvalidModelSpec,
    ModelSpec,
    UnknownModel,
    find_model,
    load_model_spec,
    model_names,
)


def _folder(tmp_path: Path, spec: ModelSpec, **changes: object) -> Path:
    content = yaml.safe_load((spec.folder / "model.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        target, *rest = key.split("__")
        place = content
        while rest:
            place, target, rest = place[target], rest[0], rest[1:]
        if value is None:
            del place[target]
        else:
            place[target] = value
    folder = tmp_path / "churn"
    folder.mkdir()
    (folder / "model.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder


def test_churn_when_loaded_then_says_what_the_mission_asks() -> None:
    spec = find_model("churn")
    assert (spec.horizon_days, spec.snapshots.spacing_days, spec.snapshots.minimum_history_days) == (90, 45, 180)
    assert spec.population.window_days == 365
    assert {"recency", "frequency", "logistic"} == set(spec.baselines)
    assert "orders.all_orders" in spec.labels_sql


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"horizon_days": None}, ["key horizon_days", "nothing"]),
        ({"horizon_days": -1}, ["key horizon_days", "greater than 0", "-1"]),
        ({"horizons": 90}, ["key horizons", "no such key"]),
        ({"gates__maximum_brier": "low"}, ["key gates.maximum_brier", "'low'"]),
        ({"features": {"names": ["a"], "all_except": ["b"]}}, ["key features", "exactly one"]),
        ({"risk_tiers": {"high": 0.7, "medium": 0.8, "low": 0.0}}, ["key risk_tiers", "falling thresholds"]),
        ({"risk_tiers": {"high": 0.7}}, ["key risk_tiers", "to 0"]),
        ({"search__space": {"depth": [1]}}, ["search.space.depth among algorithm.defaults"]),
        ({"name": "churned"}, ["key name", "churn", "churned"]),
    ],
)
def test_declaration_when_wrong_then_error_names_key_and_expected(
    tmp_path: Path, churn_spec: ModelSpec, changes: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(InvalidModelSpec) as caught:
        load_model_spec(_folder(tmp_path, churn_spec, **changes))
    for word in ["churn/model.yaml", *words]:
        assert word in str(caught.value)


def test_declaration_when_no_yaml_then_error_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    with pytest.raises(InvalidModelSpec, match="is missing"):
        load_model_spec(folder)
    (folder / "model.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(InvalidModelSpec, match="is not YAML"):
        load_model_spec(folder)
    (folder / "model.yaml").write_text("- a", encoding="utf-8")
    with pytest.raises(InvalidModelSpec, match="is no mapping"):
        load_model_spec(folder)


def test_model_when_unknown_then_error_lists_the_known() -> None:
    assert "churn" in model_names()
    with pytest.raises(UnknownModel, match="churn"):
        find_model("chrun")


def test_features_when_all_except_then_order_of_available_is_kept(churn_spec: ModelSpec) -> None:
    listed = churn_spec.features.model_copy(update={"all_except": ("b",)})
    assert listed.resolve(("c", "b", "a")) == ("c", "a")


def test_features_when_named_and_unavailable_then_error(churn_spec: ModelSpec) -> None:
    listed = churn_spec.features.model_copy(update={"all_except": None, "names": ("a", "z")})
    with pytest.raises(InvalidModelSpec, match="lists z"):
        listed.resolve(("a", "b"))


def test_features_when_season_feature_is_lacking_then_error_names_the_key(churn_spec: ModelSpec) -> None:
    with pytest.raises(InvalidModelSpec, match=r"season\.day_of_year_feature"):
        churn_spec.require(["recency_days"])


def test_theme_when_no_pattern_matches_then_feature_stands_alone(churn_spec: ModelSpec) -> None:
    assert churn_spec.reasons.theme("orders_30d") == churn_spec.reasons.theme("orders_365d")
    assert churn_spec.reasons.theme("weekend_share_365d") == "weekend_share_365d"
