"""The small shop of the home of this process, for Dagster's commands and its webserver."""

import importlib.util
import sys
from pathlib import Path

from resources.settings import load_settings

_spec = importlib.util.spec_from_file_location("gate_shop", Path(__file__).with_name("shop.py"))
assert _spec is not None
assert _spec.loader is not None
_shop = importlib.util.module_from_spec(_spec)
sys.modules["gate_shop"] = _shop
_spec.loader.exec_module(_shop)

defs = _shop.build_shop(load_settings().home)
