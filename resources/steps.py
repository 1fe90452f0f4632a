"""The one decorator of every asset and check body: it is metered, and it fails clearly.

A named error ends the step at once with its own message; only a transient one (a busy warehouse) is tried again,
with exponential back-off. A full disk gets its name here, whatever was being written. Any other exception is a
defect and passes through unchanged.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import dagster as dg

from athena_assets.errors import AthenaError
from resources.disk import disk_full, is_full
from resources.meter import metered
from resources.settings import load_settings

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
    try:
        yield
    except AthenaError as error:
        raise as_dagster_failure(error, context.retry_number) from error
    except OSError as error:
        home = load_settings().home
        if not is_full(error, home):
            raise
        raise as_dagster_failure(disk_full(error, home), context.retry_number) from error


def as_dagster_failure(error: AthenaError, retry_number: int) -> dg.Failure | dg.RetryRequested:
    """The Dagster exception for a named error: a retry for a transient one, else a failure that is not retried."""
    if error.transient and retry_number < MOST_RETRIES:
        return dg.RetryRequested(max_retries=MOST_RETRIES, seconds_to_wait=FIRST_WAIT_SECONDS * 2**retry_number)
    return dg.Failure(description=str(error), metadata={"error": type(error).__name__}, allow_retries=False)
