"""The one decorator of every asset and check body: it is metered, and it fails clearly.

A named error ends the step at once with its own message; only a transient one (a busy warehouse) is tried again,
with exponential back-off. A full disk gets its name here, whatever was being written. Any other exception is a
defect and passes through unchanged.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import dagster as dg

from athena_assets.errors import AthenaError
from resources.disk import disk_full, is_full
from resources.findings import Finding, Findings, error_check
from resources.meter import metered
from resources.meter_step import of as step_of
from resources.settings import Settings, load_settings

MOST_RETRIES = 4
FIRST_WAIT_SECONDS = 2

Body = TypeVar("Body", bound=Callable[..., Any])


def step(body: Body) -> Body:
    """Wrap the body of an asset or check; the first argument must be the Dagster context."""
    measured = metered(body)

    if inspect.isgeneratorfunction(body):

        @functools.wraps(measured)
        def generate(context: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
            with _named_failures(context):
                yield from measured(context, *arguments, **named)

        return cast(Body, generate)

    @functools.wraps(measured)
    def run(context: Any, *arguments: Any, **named: Any) -> Any:
        with _named_failures(context):
            return measured(context, *arguments, **named)

    return cast(Body, run)


@contextmanager
def _named_failures(context: Any) -> Iterator[None]:
    """Turn a named error into Dagster's failure, and write down that the step ended with it, or that it did not."""
    try:
        yield
    except AthenaError as error:
        raise _failed(context, error) from error
    except OSError as error:
        home = home_of(context)
        if not is_full(error, home):
            _observe(context, error)
            raise
        raise _failed(context, disk_full(error, home)) from error
    except Exception as error:
        # A defect is Dagster's to show as it is; somebody has to be told of it all the same.
        _observe(context, error)
        raise
    else:
        _observe(context, None)


def home_of(context: Any) -> Path:
    """The home that a step works in: that of its settings where it asks for them, else of this process."""
    declared = getattr(context.resources, "settings", None)
    return declared.home if isinstance(declared, Settings) else load_settings().home


def _failed(context: Any, error: AthenaError) -> dg.Failure | dg.RetryRequested:
    failure = as_dagster_failure(error, context.retry_number)
    if isinstance(failure, dg.Failure):
        _observe(context, error)
    return failure


def _observe(context: Any, error: Exception | None) -> None:
    """Leave a finding for every asset of a step that ended with an error; clear those of one that did not."""
    known = step_of(context)
    if known is None or not known.subjects:
        return
    # A table may have several check steps: the success of one says nothing of the others.
    check = error_check(known.work.step)
    places = [(asset, partition, check) for asset in known.subjects for partition in known.partition_keys or [""]]
    found = []
    if error is not None:
        asset, partition, _ = places[0]
        found = [
            Finding(
                kind="error",
                severity="ERROR",
                asset=asset,
                partition=partition,
                check=check,
                rule=type(error).__name__,
                summary=error.what if isinstance(error, AthenaError) else f"{type(error).__name__}: {error}",
                run_id=known.work.run_id,
                details=str(error),
            )
        ]
    Findings(home_of(context)).observe(found, looked_at=places, at=datetime.now(UTC))


def as_dagster_failure(error: AthenaError, retry_number: int) -> dg.Failure | dg.RetryRequested:
    """The Dagster exception for a named error: a retry for a transient one, else a failure that is not retried."""
    if error.transient and retry_number < MOST_RETRIES:
        return dg.RetryRequested(max_retries=MOST_RETRIES, seconds_to_wait=FIRST_WAIT_SECONDS * 2**retry_number)
    return dg.Failure(description=str(error), metadata={"error": type(error).__name__}, allow_retries=False)
