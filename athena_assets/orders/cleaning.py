"""The cleaning engine: from a source's rules to one SELECT per clean table.

The rules decide (rules/*.yaml), the templates compute (sql/*.sql), and this module only puts the two together.
Statements read `raw.*` and, where it says so, clean tables written earlier in the same list, so they are run in
order inside one transaction.

What a rule has to know of other rows (is this line a copy, was its order known?) is true of few rows. Such facts are
statements of their own, made once, and the rows stream past them: a hundred million lines need no more memory than
the largest fact. A fact that no rule of the source reads is not made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from athena_assets.orders.facts import IDENTITY
from athena_assets.orders.judging import Judge
from athena_assets.orders.rules import rules_for
from athena_assets.orders.statements import CleanStatement, Fact, Scope, facts_read
from athena_assets.orders.templates import codes, template, text
from athena_assets.sources.parsing import quote_text
from athena_assets.sources.source import Source
from athena_assets.sources.tables import RAW_TABLES

ENTITY_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customers": ("night", "customer_id", "known_at", "registered_on", "country"),
    "products": ("night", "product_id", "known_at", "description", "category", "list_price"),
    "service_contacts": (
        "night", "contact_id", "customer_id", "contact_ts", "known_at", "topic", "channel", "is_resolved",
    ),
    "campaign_contacts": (
        "night", "contact_id", "campaign_id", "customer_id", "contact_ts", "known_at", "arm", "response",
    ),
}  # fmt: skip
"""Columns of the clean tables that are delivered as they are."""

DERIVED = ("orders", "customers", "products")
"""Clean tables that are computed from the lines where the source does not deliver them."""


def clean_statements(source: Source, scope: Scope) -> tuple[CleanStatement, ...]:
    """The SELECTs of every clean table that the source delivers or lets derive, in order of dependence.

    A target's rows of the scope (`scope.condition`) are to be deleted before its rows are inserted; nothing
    else of the scope is read while being written. Row order is total and stated in each SELECT. A fact of a later
    statement may rest on the clean rows of an earlier one.
    """
    engine = _Engine.of(source, scope)
    selects = {"order_lines": engine.order_lines(), "orders": engine.orders()}
    for table in ENTITY_COLUMNS:
        if source.delivers(table):
            selects[table] = engine.entity(table)
        elif table in DERIVED:
            selects[table] = engine.derived(table)
    selects["quarantine"] = engine.quarantine()
    selects["accounting"] = engine.accounting()
    return tuple(engine.statement(table, f"orders.{table}{scope.suffix}", select) for table, select in selects.items())


def reason_statements(source: Source, scope: Scope) -> tuple[CleanStatement, ...]:
    """Per delivered table: rows and money per deciding rule, kept ones included (table_name, code, kept, ...)."""
    engine = _Engine.of(source, scope)
    selects = {table: engine.reason_counts(table) for table in source.tables}
    return tuple(engine.statement(table, f"raw.{table}{scope.suffix}", select) for table, select in selects.items())


@dataclass(frozen=True)
class _Engine:
    judge: Judge

    @classmethod
    def of(cls, source: Source, scope: Scope) -> "_Engine":
        return cls(Judge(source, scope, rules_for(source.name, corrects_orders=source.corrects_orders)))

    @property
    def source(self) -> Source:
        return self.judge.source

    @property
    def scope(self) -> Scope:
        return self.judge.scope

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact that a statement may read."""
        return self.judge.facts()

    def statement(self, table: str, target: str, select: str) -> CleanStatement:
        """The statement with the facts that its text reads."""
        facts = facts_read(select, self.facts)
        return CleanStatement(table, target, select, self.scope.parameters_of(select), facts)

    def order_lines(self) -> str:
        return self._fill(
            "order_lines",
            table="order_lines",
            charge_codes=codes(rule for rule in self.judge.kept("order_lines") if not rule.merchandise),
            is_correction="is_correction" if self.source.corrects_orders else "false",
        )

    def orders(self) -> str:
        name = "orders_delivered" if self.source.delivers("orders") else "orders_derived"
        return self._fill(name, table="orders")

    def entity(self, table: str) -> str:
        columns = ENTITY_COLUMNS[table]
        order = ("night", *IDENTITY[table][:1], "known_at")
        return self._fill("entities", table=table, columns=", ".join(columns), order_by=", ".join(order))

    def derived(self, table: str) -> str:
        columns = [column for column in ENTITY_COLUMNS[table] if column != "known_at"]
        values = {**self.scope.places("order_lines"), "earlier_rows": self.scope.earlier(table, columns)}
        return template(f"{table}_derived", values)

    def quarantine(self) -> str:
        parts = []
        for table in self.source.tables:
            refused = [rule for rule in self.judge.rules.of(table) if rule.disposition == "quarantine"]
            cases = " ".join(f"WHEN {quote_text(rule.code)} THEN {quote_text(rule.reason)}" for rule in refused)
            content = [column.name for column in RAW_TABLES[table].columns]
            payload = ", ".join(f"{name}: {name}" for name in ("parse_error", "known_at", *content))
            parts.append(
                self._fill("quarantine", table=table, reason=f"CASE code {cases} END", payload=f"{{{payload}}}")
            )
        return "\nUNION ALL\n".join(parts) + "\nORDER BY night, delivery_id, table_name, source_row"

    def accounting(self) -> str:
        delivered, kept = [], []
        for table in self.source.tables:
            amount = f"coalesce({RAW_TABLES[table].amount or '0'}, 0)"
            grouped = "GROUP BY night, delivery_id"
            delivered.append(
                f"    SELECT night, delivery_id, '{table}' AS table_name, count(*) AS rows_in, 0 AS rows_kept, "
                f"0 AS rows_quarantined, 0 AS rows_repeated, sum({amount}) AS amount_in, 0 AS amount_kept, "
                f"0 AS amount_quarantined\n"
                f"    FROM raw.{table}{self.scope.suffix} WHERE {self.scope.condition} {grouped}"
            )
            rows = f"FROM (\n{self.judge.rows(table)}\n) WHERE code IN ({codes(self.judge.kept(table))})"
            money = "sum(amount)"
            if table == "order_lines":
                rows = f"FROM {self.scope.clean_lines} WHERE {self.scope.condition}"
                money = "sum(line_amount)"
            kept.append(
                f"    SELECT night, delivery_id, '{table}', 0, count(*), 0, 0, 0, {money}, 0\n    {rows} {grouped}"
            )
        repeating = [rule for table in self.source.tables for rule in self.judge.rules.of(table) if rule.repeats]
        union = "\n    UNION ALL\n"
        return template(
            "accounting",
            {
                "delivered": union.join(delivered),
                "kept": union.join(kept),
                "quarantine": f"orders.quarantine{self.scope.suffix}",
                "repeating_codes": codes(repeating),
                "in_scope": self.scope.condition,
            },
        )

    def reason_counts(self, table: str) -> str:
        return self._fill("reason_counts", table=table)

    def _fill(self, name: str, *, table: str, **more: str) -> str:
        values = {**self.scope.places(table), "table": table, **more}
        if "{{judged}}" in text(name):
            values["judged"] = self.judge.rows(table, text(name))
            values["kept_codes"] = codes(self.judge.kept(table))
        return template(name, values)
