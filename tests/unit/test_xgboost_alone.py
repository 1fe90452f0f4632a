"""XGBoost is loaded without scikit-learn, and takes nothing from whoever wants that."""

import subprocess
import sys

import pytest

LOADED = "from athena_assets.lifecycle.xgboost_alone import load_xgboost; import sys; found = load_xgboost()"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{LOADED}; print('sklearn' in sys.modules, found.compat.SKLEARN_INSTALLED)", "False False"),
        (f"{LOADED}; import sklearn.linear_model; print(sklearn.linear_model.Ridge().alpha)", "1.0"),
        (f"import sklearn; {LOADED}; print(found.XGBClassifier().get_params()['objective'])", "binary:logistic"),
        (f"{LOADED}; import xgboost; print(found is xgboost is load_xgboost())", "True"),
    ],
    ids=["without scikit-learn", "scikit-learn afterwards", "scikit-learn before", "the module of everybody"],
)
def test_xgboost_when_loaded_then_scikit_learn_is_neither_needed_nor_hidden(text: str, told: str) -> None:
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == told
