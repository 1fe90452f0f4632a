"""What Dagster loads: the definitions of the home that `ATHENA_HOME` names (`workspace.yaml`)."""

from athena_assets.definitions import build_definitions

defs = build_definitions()
