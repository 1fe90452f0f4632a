"""The facts that rows are judged by: what is true of few of them and has to be found in others.

A fact is made where something reads it: a rule that names a column that it gives, a statement, or another fact.
"""

from collections.abc import Mapping
from functools import partial

from athena_assets.orders.statements import Fact, Scope
from athena_assets.orders.templates import template
from athena_assets.sources.source import Source

LINE_CONTENT = ("order_id", "product_id", "quantity", "unit_price", "order_ts", "customer_id", "country")
"""What makes two delivered lines equal."""

VERSION_CONTENT = (*LINE_CONTENT[1:], "channel", "is_return")
"""What the lines of two versions of an order are compared by."""

TOLD = ("order_id", "night", *VERSION_CONTENT)
"""What is to be known of an earlier line."""

IDENTITY = {
    "orders": ("order_id",),
    "customers": ("customer_id", "registered_on", "country"),
    "products": ("product_id", "description", "category", "list_price"),
    "service_contacts": ("contact_id",),
    "campaign_contacts": ("contact_id",),
}
"""What makes two delivered rows the same thing; a register entry with other content is a new version."""

_ROW = ("delivery_id", "source_row")


def version_of(source: Source) -> tuple[str, ...]:
    """What tells one order from another; of a source that corrects orders each night tells a version."""
    return ("order_id", "night") if source.corrects_orders else ("order_id",)


def filled(
    scope: Scope,
    values: Mapping[str, str],
    name: str,
    *,
    like: str = "",
    key: tuple[str, ...] = (),
    gives: Mapping[str, str] | None = None,
) -> Fact:
    """The fact that the template of its name selects, or the template `like`; key and gives as in `Fact`."""
    select = template(like or name, values)
    return Fact(name, select, scope.parameters_of(select), key, gives or {})


def facts_of(source: Source, scope: Scope, table: str) -> tuple[Fact, ...]:
    """What the judged rows of a raw table may read, in the order in which each rests on the ones before."""
    return _facts_of_lines(source, scope) if table == "order_lines" else _facts_of_entities(source, scope, table)


def _facts_of_lines(source: Source, scope: Scope) -> tuple[Fact, ...]:
    values = {
        **scope.places("order_lines"),
        "earlier_rows": scope.earlier("order_lines", TOLD),
        "told": ", ".join(TOLD),
        "content": ", ".join(LINE_CONTENT),
        "copied": ", ".join((*LINE_CONTENT, *version_of(source)[1:])),
    }
    fact = partial(filled, scope, values)
    return (
        fact("line_fingerprints"),
        fact("line_passes"),
        fact("line_copies", key=_ROW, gives={"repetition": "1", "copy": "1"}),
        fact("line_reversals", key=_ROW, gives={"minutes_to_reversal": "NULL"}),
        fact("order_nights"),
        fact("known_orders", key=("order_id",), gives={"order_known": "false"}),
        fact("earlier_lines"),
        fact("known_lines", key=LINE_CONTENT, gives={"times_known": "0"}),
    )


def _facts_of_entities(source: Source, scope: Scope, table: str) -> tuple[Fact, ...]:
    version = version_of(source)
    identity = version if table == "orders" else IDENTITY[table]
    values = {
        **scope.places(table),
        "earlier_rows": scope.earlier(table, identity),
        "identity": ", ".join(identity),
        "key": identity[0],
        "version": ", ".join(version),
    }
    fact = partial(filled, scope, values)
    # Headers of a source that corrects orders follow their lines, which were judged before them.
    follows_lines = table == "orders" and source.corrects_orders
    earlier = "repeated_versions" if follows_lines else "earlier_entities"
    facts = (
        fact(f"{table}_copies", like="entity_copies", key=_ROW, gives={"copy": "1"}),
        fact(f"{table}_earlier", like=earlier, key=identity, gives={"known_before": "false"}),
    )
    if table != "orders":
        return facts
    sums = dict.fromkeys(("lines_total", "item_count", "line_count", "is_correction"), "NULL")
    return (*facts, fact("lines_by_order", key=version, gives=sums))
