"""What metering a step costs: the same steps that do nothing, metered and not, in runs beside each other."""

import logging
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg  # noqa: TID251  # a step is Dagster's; metering it is what is measured

from bench.table import Table, milliseconds, ratio
from bench.timing import alternate
from cost import usage
from cost.period import Month
from resources.meter import Meter, metered

STEPS = 60
RUNS_PER_ROUND = 5
"""The difference is small beside the noise of one run."""


def measure(rounds: int) -> Table:
    """One job of `STEPS` steps, with and without the meter, on an ephemeral instance."""
    logging.disable(logging.CRITICAL)
    runs = rounds * RUNS_PER_ROUND
    plain, measured = (_job(with_meter=with_meter) for with_meter in (False, True))
    with tempfile.TemporaryDirectory(prefix="athena-bench-") as folder:
        meter = Meter(Path(folder))

        def run_metered() -> None:
            run_id = f"run-{datetime.now(UTC).isoformat()}"
            with meter.measure_run(run_id):
                _run(measured, meter)

        timings = alternate({"no-op step": lambda: _run(plain, meter), "no-op step, metered": run_metered}, runs)
        rows = usage.load(meter.path, Month.of(datetime.now(UTC)))
    booked = statistics.median(
        row.quantity / 1e6 for row in rows if row.meter == "wall" and row.step != usage.RUN_TOTAL
    )
    per_step = {name: timing.median / STEPS for name, timing in timings.items()}
    floor, with_meter = per_step.values()
    return Table(
        "The meter, per step",
        ("step", "ms", "range", "to the no-op step"),
        (
            *(
                (
                    name,
                    milliseconds(value),
                    "-".join(
                        milliseconds(bound / STEPS) for bound in (min(timings[name].wall), max(timings[name].wall))
                    ),
                    ratio(value, floor),
                )
                for name, value in per_step.items()
            ),
            ("the meter", milliseconds(with_meter - floor), "", ratio(with_meter - floor, floor)),
            ("of it booked to the step itself", milliseconds(booked), "", ratio(booked, floor)),
        ),
        (f"{STEPS} steps a run, in process, ephemeral instance; median of {runs} runs of each.",),
    )


def _job(*, with_meter: bool) -> dg.JobDefinition:
    assets = []
    for number in range(STEPS):

        def nothing(context: dg.AssetExecutionContext) -> None:
            return None

        assets.append(
            dg.asset(name=f"step_{number:02d}", tags={"stage": "pipeline"}, required_resource_keys={"meter"})(
                metered(nothing) if with_meter else nothing
            )
        )
    definitions = dg.Definitions(
        assets=assets,
        resources={"meter": Meter(Path())},
        jobs=[dg.define_asset_job("steps")],
        executor=dg.in_process_executor,
    )
    return definitions.resolve_job_def("steps")


def _run(job: dg.JobDefinition, meter: Meter) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, resources={"meter": meter})
    if not result.success:
        raise SystemExit("a step that does nothing failed; its time means nothing")
