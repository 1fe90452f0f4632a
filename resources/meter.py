"""The meter: what every step of every run used, written down whether it succeeded or failed.

`metered` goes on the body of an asset or of a check, `Meter.measure` around anything else. A step is
measured from the outside (see `resources/probe.py`): two steps that run at the same time in one process
would each see the other's CPU, which the in-process executor does not do.

Cost of metering one step, on two shared cores: 0.6 ms inside `measure_run`, of which 0.2 ms are probes and 30 µs are
booked to the step itself. Outside of it every step flushes the store: 2 ms, and 20 ms while the disk is busy.
"""

import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from athena_assets.errors import AthenaError
from cost import usage
from cost.storage import StorageSnapshot
from cost.usage import Usage
from resources import meter_step
from resources.measurement import Measurement, Quantities, Work
from resources.settings import load_settings

Body = TypeVar("Body", bound=Callable[..., Any])


class NotMeterable(AthenaError):
    """The decorator was put on something whose work it cannot see."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Meter:
    """Writes usage of this process to `<home>/cost/usage.sqlite`.

    Usable as a Dagster resource (bind it under the name `meter`) and without Dagster.
    """

    def __init__(self, home: Path, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self.path = home / "cost" / "usage.sqlite"
        self._clock = clock

    @contextmanager
    def measure(
        self,
        *,
        run_id: str,
        step: str,
        stage: str,
        attempt: int = 0,
        asset_key: str | None = None,
        partition: str | None = None,
        model: str | None = None,
    ) -> Iterator[Measurement]:
        """Measure the block and record it, `failed` when it raises (the exception goes on)."""
        work = Work(run_id, step, stage, attempt, asset_key, partition, model)
        measurement = self.begin()
        try:
            yield measurement
        except BaseException as error:
            self.record_failure(work, measurement, error)
            raise
        self.record(work, measurement, outcome="succeeded")

    @contextmanager
    def measure_run(self, run_id: str, *, stage: str = "pipeline") -> Iterator[Measurement]:
        """Measure a whole run: what its steps leave of this total is the run's `__overhead__`."""
        with (
            usage.held_open(self.path),
            self.measure(run_id=run_id, step=usage.RUN_TOTAL, stage=stage) as measurement,
        ):
            yield measurement

    def begin(self) -> Measurement:
        """A measurement that starts now; hand it to `record` when the work has ended."""
        return Measurement(self._clock())

    def record(self, work: Work, measurement: Measurement, *, outcome: str) -> Quantities:
        """End the measurement and write its rows in one transaction; returns what was used."""
        measurement.pause()
        used = measurement.used
        started_at = measurement.started_at
        ended_at = max(self._clock(), started_at + timedelta(microseconds=used.wall_us))
        quantities = {
            "cpu": used.cpu_us,
            "wall": used.wall_us,
            "peak_memory": used.peak_memory_bytes,
            "bytes_read": used.bytes_read,
            "bytes_written": used.bytes_written,
            "rows_in": used.rows_in,
            "rows_out": used.rows_out,
        }
        rows = [
            self._row(work, meter, quantity, started_at, ended_at, outcome)
            for meter, quantity in quantities.items()
            if quantity is not None
        ]
        usage.append(self.path, rows)
        return used

    def record_failure(self, work: Work, measurement: Measurement, error: BaseException) -> None:
        """Record a failed attempt; a store that cannot take it is a note on the error, not its successor."""
        try:
            self.record(work, measurement, outcome="failed")
        except AthenaError as lost:
            error.add_note(f"Its usage was not recorded: {lost}")

    def record_storage(self, run_id: str, snapshot: StorageSnapshot) -> None:
        """Write down what lay on disk at the moment of the snapshot, one row per item."""
        rows = [
            self._row(
                Work(run_id, f"__stored__:{item.key}", "pipeline", 0, item.key, None, item.model),
                "stored_bytes",
                item.bytes_stored,
                snapshot.taken_at,
                snapshot.taken_at,
                "succeeded",
            )
            for item in snapshot.items
        ]
        usage.append(self.path, rows)

    def _row(
        self, work: Work, meter: str, quantity: int, started_at: datetime, ended_at: datetime, outcome: str
    ) -> Usage:
        return Usage(
            run_id=work.run_id,
            step=work.step,
            attempt=work.attempt,
            asset_key=work.asset_key,
            partition=work.partition,
            model=work.model,
            stage=work.stage,
            meter=meter,
            quantity=quantity,
            unit=usage.UNITS[meter],
            started_at=started_at,
            ended_at=ended_at,
            basis="measured",
            outcome=outcome,
        )


def metered(body: Body) -> Body:
    """Measure the body of an asset, a check or an op whose first argument is its Dagster `context`.

    Put it directly on the function, under `@dg.asset`, `@dg.multi_asset`, `@dg.multi_asset_check`. The
    body may return or yield. Usage is booked under the run, the step, the attempt, the assets, the
    partition and the assets' tags `model` and `stage`; rows out are the row counts that results carry. The
    materialisation gets `cost/...` metadata: of the whole step when the body returns, of the work since the
    previous result when it yields.

    Usage goes to the resource named `meter` where the definition requires one, else to the home of this
    process's settings. A body that is called directly, outside of a run, is not measured: there is no run
    to book it to.
    """
    if inspect.iscoroutinefunction(body) or inspect.isasyncgenfunction(body):
        raise NotMeterable(
            f"{body.__name__} is asynchronous and cannot be metered",
            expected="a plain function or a generator",
            found="an async function, whose steps would be charged with each other's CPU",
        )
    if inspect.isgeneratorfunction(body):

        @functools.wraps(body)
        def yielding(context: Any, *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            step = meter_step.of(context)
            if step is None:
                return (yield from body(context, *args, **kwargs))
            return (yield from _drive(step, meter_of(context), body(context, *args, **kwargs)))

        wrapper: Callable[..., Any] = yielding
    else:

        @functools.wraps(body)
        def returning(context: Any, *args: Any, **kwargs: Any) -> Any:
            step = meter_step.of(context)
            if step is None:
                return body(context, *args, **kwargs)
            return _call(step, meter_of(context), lambda: body(context, *args, **kwargs))

        wrapper = returning

    wrapper.__metered__ = True  # type: ignore[attr-defined]  # read by the test that walks the asset graph
    return cast(Body, wrapper)


def meter_of(context: Any) -> Meter:
    """The `meter` resource of the step, or the meter of this process's home."""
    declared = getattr(context.resources, "meter", None)
    return declared if isinstance(declared, Meter) else Meter(load_settings().home)


def _call(step: meter_step.Step, meter: Meter, body: Callable[[], Any]) -> Any:
    measurement = meter.begin()
    try:
        result = body()
        if inspect.isgenerator(result):
            result.close()
            raise NotMeterable(
                f"the body of {step.work.step} returns a generator, whose work would go unmeasured",
                expected="a function that yields its results, or returns them",
            )
        measurement.rows(rows_out=meter_step.rows_out(result))
    except BaseException as error:
        meter.record_failure(step.work, measurement, error)
        raise
    step.publish(meter.record(step.work, measurement, outcome="succeeded"))
    return result


def _drive(step: meter_step.Step, meter: Meter, body: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    measurement = meter.begin()
    try:
        while True:
            try:
                result = next(body)
            except StopIteration as end:
                returned = end.value
                break
            # While the body is suspended Dagster stores the result: that is overhead, not this step's work.
            step.publish_result(result, measurement.pause())
            count = meter_step.rows_out(result)
            if count is not None:
                measurement.rows(rows_out=count + (measurement.used.rows_out or 0))
            yield result
            measurement.resume()
    except BaseException as error:
        body.close()
        meter.record_failure(step.work, measurement, error)
        raise
    meter.record(step.work, measurement, outcome="succeeded")
    return returned
