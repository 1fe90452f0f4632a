"""The gate admits exactly what a naive walk over all ancestors finds to have passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import dagster as dg
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.blocking import check_spec
from checks.gate import Gate
from checks.needs import GatePlan, as_written, order_only, reads_up_to
from checks.verdicts import ensure_gate
from resources.warehouse import Warehouse

DAYS = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
CALENDAR = dg.DailyPartitionsDefinition(DAYS[0], end_date="2026-01-05")
NOW = datetime(2026, 2, 1, tzinfo=UTC).replace(tzinfo=None)
STATES = ("passed", "failed", "missing", "outdated")

Edge = Literal["same", "up to", "as written", "order only", "day before"]


@dataclass(frozen=True)
class Node:
    """An asset of a random graph: whether it has partitions and a check, and what it reads of earlier nodes."""

    partitioned: bool
    checked: bool
    parents: dict[int, Edge]


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for number in range(draw(st.integers(2, 6))):
        partitioned = draw(st.integers(0, 3)) > 0
        parents: dict[int, Edge] = {}
        for parent in draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set():
            kinds: list[Edge] = ["same", "as written", "order only"]
            if partitioned and nodes[parent].partitioned:
                kinds += ["up to", "day before"]
            parents[parent] = draw(st.sampled_from(kinds))
        nodes.append(Node(partitioned, draw(st.integers(0, 4)) > 0, parents))
    return nodes


def keys_of(node: Node) -> list[str]:
    return DAYS if node.partitioned else [""]


def read_by(nodes: list[Node], child: int, partition: str, parent: int, edge: Edge) -> list[str]:
    """What one partition of a child reads of a parent, said as plainly as possible."""
    if not nodes[parent].partitioned:
        return [""]
    if not nodes[child].partitioned:
        return DAYS
    if edge == "up to":
        return [day for day in DAYS if day <= partition]
    if edge == "day before":
        return [DAYS[DAYS.index(partition) - 1]] if partition != DAYS[0] else []
    return [partition]


def all_passed(nodes: list[Node], states: dict[tuple[int, str], str], child: int, partition: str) -> bool:
    """The naive walk: everything read, and everything that was read for it."""
    for parent, edge in nodes[child].parents.items():
        if edge == "order only":
            continue
        for key in read_by(nodes, child, partition, parent, edge):
            if nodes[parent].checked and states[parent, key] != "passed":
                return False
            if edge != "as written" and not all_passed(nodes, states, parent, key):
                return False
    return True


def dep_of(parent: int, edge: Edge) -> dg.AssetDep:
    key = dg.AssetKey(["any", f"a{parent}"])
    if edge == "day before":
        return dg.AssetDep(key, partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))
    return {"up to": reads_up_to, "as written": as_written, "order only": order_only}.get(edge, dg.AssetDep)(key)


def definitions_of(nodes: list[Node]) -> dg.Definitions:
    def asset(number: int, node: Node) -> dg.AssetsDefinition:
        key, partitions = dg.AssetKey(["any", f"a{number}"]), CALENDAR if node.partitioned else None
        spec = dg.AssetSpec(
            key, deps=[dep_of(parent, edge) for parent, edge in node.parents.items()], partitions_def=partitions
        )
        checks = [check_spec("check", key, "", partitions, rules_hash="now")] if node.checked else []

        @dg.multi_asset(name=f"a{number}", specs=[spec], check_specs=checks)
        def body():
            yield from ()

        return body

    return dg.Definitions(assets=[asset(number, node) for number, node in enumerate(nodes)])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_gate_when_asked_about_any_graph_and_any_verdicts_then_it_agrees_with_a_naive_walk(data: st.DataObject) -> None:
    nodes = data.draw(graphs())
    places = [(number, key) for number, node in enumerate(nodes) for key in keys_of(node)]
    # Mostly passed, else hardly anything would ever be admitted.
    states = {place: data.draw(st.sampled_from(("passed",) * 12 + STATES), label=str(place)) for place in places}
    graph = definitions_of(nodes).resolve_asset_graph()
    with TemporaryDirectory() as folder:
        warehouse = Warehouse(database=str(Path(folder) / "warehouse.duckdb"))
        with warehouse.write() as connection:
            ensure_gate(connection)
            for number, ((asset, key), state) in enumerate(states.items(), 1):
                connection.execute(
                    "INSERT INTO gate.materialisation VALUES (?, ?, ?, 'r', NULL)", [f"any.a{asset}", key, number]
                )
                if state != "missing":
                    connection.execute(
                        "INSERT INTO gate.verdict VALUES (?, ?, 'check', ?, ?, '1', ?, '', 'r', ?)",
                        [
                            f"any.a{asset}",
                            key,
                            number,
                            "before" if state == "outdated" else "now",
                            state != "failed",
                            NOW,
                        ],
                    )
        gate = Gate(warehouse, lambda: GatePlan(graph))
        for number, node in enumerate(nodes):
            asked = [dg.AssetKey(["any", f"a{number}"])]
            for key in keys_of(node):
                admitted = gate.may_compute(asked, [key] if key else [], NOW)
                assert admitted == all_passed(nodes, states, number, key), (number, key)
            if node.partitioned:
                whole = all(all_passed(nodes, states, number, key) for key in DAYS)
                assert gate.may_compute(asked, DAYS, NOW) == whole, number
