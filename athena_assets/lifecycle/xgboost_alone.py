"""XGBoost without its scikit-learn wrappers, which nothing here uses.

`import xgboost` imports scikit-learn, scipy.stats and pandas with them, where they are installed: 0.9 CPU seconds
instead of 0.2, as long as the trees of half a million customers take. The wrappers of this process are then
placeholders, as they are on a machine without scikit-learn.
"""

import importlib
import sys
import threading
from functools import cache
from types import ModuleType
from typing import Any

_WRAPPED = "sklearn"
_importing = threading.Lock()
"""Of two threads that ask at once, the second must not take the first one's mark for scikit-learn itself."""


@cache
def load_xgboost() -> Any:
    """The module `xgboost`; scikit-learn stays importable, and is left alone where it is imported already."""
    with _importing:
        if _WRAPPED in sys.modules:
            return importlib.import_module("xgboost")
        # None is how Python says that a module must not be imported.
        modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
        modules[_WRAPPED] = None
        try:
            return importlib.import_module("xgboost")
        finally:
            modules.pop(_WRAPPED, None)
