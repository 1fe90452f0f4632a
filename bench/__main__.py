"""`make bench` and `python -m bench`: every benchmark, or those that are named."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from athena_cli.workplace import Workplace
from bench import (
    artifact,
    false_alarms,
    features,
    gate,
    growth,
    meter,
    night,
    orchestrator,
    published,
    real,
    scale,
    simulation,
    simulator_plots,
    start,
)
from bench.machine import machine
from bench.retailer import small_retailer, temporary_home
from bench.table import Table

PARTS = (
    "start",
    "orchestrator",
    "meter",
    "features",
    "gate",
    "night",
    "artifact",
    "published",
    "real",
    "simulation",
    "scale",
    "growth",
)
FALSE_ALARMS = "false-alarms"
"""Half an hour, and no benchmark of time: only when it is named."""
SIMULATOR_PLOTS = "simulator-plots"
"""A picture, and no benchmark of time: only when it is named."""


class Benchmarks:
    """The benchmarks of one invocation; one simulated retailer serves those that need a champion."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        self._options = options
        self._stack = stack

    @cached_property
    def _retailer(self) -> Workplace:
        return self._stack.enter_context(small_retailer(self._options.retailer, self._options.rounds + 1))

    def tables(self, part: str) -> Iterator[Table]:
        """The tables of one part, each as soon as it has been measured."""
        rounds, customers = self._options.rounds, self._options.customers
        match part:
            case "start":
                with temporary_home() as home:
                    yield start.measure(home, rounds)
            case "orchestrator":
                yield orchestrator.measure(rounds)
            case "meter":
                yield meter.measure(rounds)
            case "features":
                yield features.measure(customers, rounds)
            case "gate":
                yield from gate.measure(rounds)
            case "night":
                yield from night.measure(self._retailer, rounds)
            case "artifact":
                yield from artifact.measure(self._retailer, customers, rounds)
            case "scale":
                yield from scale.measure(customers, rounds)
            case "growth":
                yield from growth.measure(customers, self._options.shares)
            case "published":
                yield published.measure(customers, rounds)
            case "simulation":
                yield from simulation.measure(customers)
            case "false-alarms":
                found, page = false_alarms.measure(self._options.real)
                false_alarms.PAGE.write_text(page, encoding="utf-8")
                yield from found
            case "simulator-plots" if self._options.real is not None:
                yield simulator_plots.measure(self._options.real)
            case "real" if self._options.orders is not None:
                yield real.measure(self._options.orders, rounds)
            case _:
                print(f"{part}: left out, it needs {'--orders' if part == 'real' else '--real'} FILE\n")


def main() -> None:
    """Run the chosen benchmarks one after another and print what each found."""
    options = _options()
    print(f"{machine()}\n", flush=True)
    with ExitStack() as stack:
        benchmarks = Benchmarks(options, stack)
        for part in options.parts:
            for table in benchmarks.tables(part):
                print(f"{table.markdown()}\n", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        default=PARTS,
        help=f"which of {', '.join(PARTS)}; default: all; or {FALSE_ALARMS}, {SIMULATOR_PLOTS}",
    )
    parser.add_argument(
        "--customers",
        type=_at_least(100),
        default=200_000,
        help="of the features, batch, published, simulation, scale and growth parts",
    )
    parser.add_argument(
        "--shares",
        type=float,
        nargs="+",
        default=growth.SHARES,
        help="of the growth part: the retailers' customers as shares of --customers, ascending",
    )
    parser.add_argument("--retailer", type=_at_least(100), default=5_000, help="customers of the simulated retailer")
    parser.add_argument("--rounds", type=_at_least(1), default=3, help="how often each is measured")
    parser.add_argument("--orders", type=Path, help="the Online Retail II file, for the part `real`")
    parser.add_argument(
        "--real", type=Path, help=f"the same file, for the parts `{FALSE_ALARMS}` and `{SIMULATOR_PLOTS}`"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.parts) - {*PARTS, FALSE_ALARMS, SIMULATOR_PLOTS})
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}; choose from {', '.join(PARTS)}")
    return options


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, found {value}")
        return value

    return number


if __name__ == "__main__":
    main()
