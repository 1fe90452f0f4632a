"""The floor of a night: DuckDB, XGBoost and one Parquet file, with nothing around them.

It finds clean tables and a trained booster, computes the same features with the same text, predicts with the trees
alone, and writes. It lands, cleans, checks, explains, records, prices and publishes nothing. Run by `bench.night` as a
process of its own: `python bench/bare_night.py JOB.json`; prints its phases in seconds as JSON.
"""

import json
import sys
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any


def main(job: dict[str, Any]) -> dict[str, float]:
    """Run the job; returns seconds by phase, and the peak of this process's memory in bytes."""
    marks = [time.perf_counter()]
    import duckdb
    import numpy as np
    import xgboost

    marks.append(time.perf_counter())
    with duckdb.connect(job["warehouse"], read_only=True, config={"threads": job["threads"]}) as connection:
        times = {name: datetime.fromisoformat(job[name]) for name in ("as_of", "cutoff")}
        found = connection.execute(job["sql"], {**job["parameters"], **times}).fetchnumpy()
    marks.append(time.perf_counter())
    columns = [np.ma.filled(np.ma.asarray(found[name], np.float32), np.nan) for name in job["tree_features"]]
    booster = xgboost.Booster({"nthread": job["threads"]})
    booster.load_model(job["model"])
    probability = booster.inplace_predict(np.column_stack(columns))
    marks.append(time.perf_counter())
    with duckdb.connect() as connection:
        connection.register("scored", {"customer_id": found["customer_id"], "probability": probability})
        connection.execute(f"COPY (SELECT * FROM scored ORDER BY customer_id) TO '{job['output']}' (FORMAT parquet)")
    marks.append(time.perf_counter())
    phases = ("imports", "features", "score", "write")
    spent = dict(zip(phases, (later - earlier for earlier, later in pairwise(marks)), strict=True))
    return {**spent, "customers": len(probability), "peak_memory": peak_memory()}


def peak_memory() -> float:
    """Peak resident set of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: on Linux it begins with the memory of the process that started this one.
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) * 1024
    import resource

    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
