"""The cleaning engine: from a source's rules to one SELECT per clean table.

The rules decide (rules/*.yaml), the templates compute (sql/*.sql), and this module only puts the two together.
Statements read `raw.*` and, where it says so, clean tables written earlier in the same list, so they are run in
order inside one transaction.

What a rule has to know of other rows (is this line a copy, was its order known?) is true of few rows. Such facts are
statements of their own, made once, and the rows stream past them: a hundred million lines need no more memory than
the largest fact.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from athena_assets.nights import Night
from athena_assets.orders.rules import Level, Rule, RuleSet, rules_for
from athena_assets.sources.parsing import quote_text
from athena_assets.sources.source import Source
from athena_assets.sources.tables import DATE, RAW_TABLES, TEXT
from athena_assets.sql import parameters_used

if TYPE_CHECKING:
    import duckdb

SQL = Path(__file__).parent / "sql"

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

LINE_CONTENT = ("order_id", "product_id", "quantity", "unit_price", "order_ts", "customer_id", "country")
"""What makes two delivered lines equal."""

VERSION_CONTENT = (*LINE_CONTENT[1:], "channel", "is_return")
"""What the lines of two versions of an order are compared by."""

IDENTITY: Mapping[str, tuple[str, ...]] = {
    "orders": ("order_id",),
    "customers": ("customer_id", "registered_on", "country"),
    "products": ("product_id", "description", "category", "list_price"),
    "service_contacts": ("contact_id",),
    "campaign_contacts": ("contact_id",),
}
"""What makes two delivered rows the same fact; a register entry with other content is a new version."""

_TYPES = {"night": DATE, **{c.name: c.type for table in RAW_TABLES.values() for c in table.columns}}

DERIVED = ("orders", "customers", "products")
"""Clean tables that are computed from the lines where the source does not deliver them."""


@dataclass(frozen=True)
class Scope:
    """What is cleaned in one go: the whole bulk history, or one night."""

    night: date | None = None

    @classmethod
    def history(cls) -> "Scope":
        """Everything that bulk deliveries brought."""
        return cls()

    @classmethod
    def of_night(cls, night: Night) -> "Scope":
        """One nightly partition."""
        return cls(night.day)

    @property
    def suffix(self) -> str:
        """Suffix of the tables that hold the scope."""
        return "_history" if self.night is None else ""

    @property
    def condition(self) -> str:
        """SQL condition on `night` that selects the scope from its tables."""
        return "true" if self.night is None else "night = $night"

    def parameters_of(self, sql: str) -> dict[str, Any]:
        """The parameters that the text uses."""
        return parameters_used(sql, {"night": self.night})


@dataclass(frozen=True)
class Fact:
    """What is to be known of some rows before others are judged; `name` is the temporary table that `select` fills."""

    name: str
    select: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class CleanStatement:
    """One clean table's SELECT. `target` is the address to insert its rows into, by name.

    facts: what the select reads as temporary tables, in the order in which to make them (`make_facts`).
    """

    table: str
    target: str
    select: str
    parameters: dict[str, Any]
    facts: tuple[Fact, ...] = ()

    @property
    def whole(self) -> str:
        """The same SELECT with its facts as common table expressions, for whoever follows columns through it."""
        if not self.facts:
            return self.select
        parts = ",\n".join(f"{fact.name} AS (\n{fact.select}\n)" for fact in self.facts)
        return f"WITH {parts}\nSELECT * FROM (\n{self.select}\n)"


def make_facts(connection: "duckdb.DuckDBPyConnection", statement: CleanStatement, made: set[str]) -> None:
    """Fill the temporary tables that the statement reads and `made` does not name yet; adds their names to it."""
    for fact in statement.facts:
        if fact.name not in made:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {fact.name} AS {fact.select}", fact.parameters)
            made.add(fact.name)


def clean_statements(source: Source, scope: Scope) -> tuple[CleanStatement, ...]:
    """The SELECTs of every clean table that the source delivers or lets derive, in order of dependence.

    A target's rows of the scope (`scope.condition`) are to be deleted before its rows are inserted; nothing
    else of the scope is read while being written. Row order is total and stated in each SELECT. A fact of a later
    statement may rest on the clean rows of an earlier one.
    """
    engine = _Engine(source, scope, rules_for(source.name, corrects_orders=source.corrects_orders))
    texts = {"order_lines": engine.order_lines(), "orders": engine.orders()}
    for table in ENTITY_COLUMNS:
        if source.delivers(table):
            texts[table] = engine.entity(table)
        elif table in DERIVED:
            texts[table] = engine.derived(table)
    texts["quarantine"] = engine.quarantine()
    texts["accounting"] = engine.accounting()
    return tuple(engine.statement(table, f"orders.{table}{scope.suffix}", text) for table, text in texts.items())


def reason_statements(source: Source, scope: Scope) -> tuple[CleanStatement, ...]:
    """Per delivered table: rows and money per deciding rule, kept ones included (table_name, code, kept, ...)."""
    engine = _Engine(source, scope, rules_for(source.name, corrects_orders=source.corrects_orders))
    texts = {table: engine.reason_counts(table) for table in source.tables}
    return tuple(engine.statement(table, f"raw.{table}{scope.suffix}", text) for table, text in texts.items())


@dataclass(frozen=True)
class _Engine:
    source: Source
    scope: Scope
    rules: RuleSet

    def statement(self, table: str, target: str, text: str) -> CleanStatement:
        """The statement with the facts that its text reads, and those that they rest on."""
        facts: list[Fact] = []
        read = text
        # Facts of the other tables may rest on those of the lines.
        tables = sorted(self.source.tables, key=lambda judged: judged != "order_lines")
        for name, select in reversed([fact for judged in tables for fact in self._facts(judged).items()]):
            if re.search(rf"\b{name}\b", read):
                facts.insert(0, Fact(name, select, self.scope.parameters_of(select)))
                read += select
        return CleanStatement(table, target, text, self.scope.parameters_of(text), tuple(facts))

    def order_lines(self) -> str:
        return self._fill(
            "order_lines",
            table="order_lines",
            charge_codes=_codes(self._charges()),
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
        return _template(f"{table}_derived", self._common("order_lines", self._earlier(table, columns)))

    def quarantine(self) -> str:
        parts = []
        for table in self.source.tables:
            refused = [rule for rule in self.rules.of(table) if rule.disposition == "quarantine"]
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
            rows = f"FROM (\n{self._judged(table)}\n) WHERE code IN ({_codes(self._kept(table))})"
            money = "sum(amount)"
            if table == "order_lines":
                rows = f"FROM {self._clean_lines} WHERE {self.scope.condition}"
                money = "sum(line_amount)"
            kept.append(
                f"    SELECT night, delivery_id, '{table}', 0, count(*), 0, 0, 0, {money}, 0\n    {rows} {grouped}"
            )
        repeating = [rule for table in self.source.tables for rule in self.rules.of(table) if rule.repeats]
        union = "\n    UNION ALL\n"
        return _template(
            "accounting",
            {
                "delivered": union.join(delivered),
                "kept": union.join(kept),
                "quarantine": f"orders.quarantine{self.scope.suffix}",
                "repeating_codes": _codes(repeating),
                "in_scope": self.scope.condition,
            },
        )

    def reason_counts(self, table: str) -> str:
        return self._fill("reason_counts", table=table)

    @property
    def _clean_lines(self) -> str:
        return f"orders.order_lines{self.scope.suffix}"

    def _fill(self, template: str, *, table: str, **more: str) -> str:
        values = {**self._common(table, ""), "table": table, **more}
        if "{{judged}}" in _text(template):
            values["judged"] = self._judged(table)
            values["kept_codes"] = _codes(self._kept(table))
        return _template(template, values)

    def _common(self, table: str, earlier_rows: str) -> dict[str, str]:
        return {
            "raw": f"raw.{table}{self.scope.suffix}",
            "in_scope": self.scope.condition,
            "clean_lines": self._clean_lines,
            "earlier_rows": earlier_rows,
            "suffix": self.scope.suffix,
            "version": ", ".join(self._version),
        }

    @property
    def _version(self) -> tuple[str, ...]:
        """What tells one order from another; of a source that corrects orders each night tells a version."""
        return ("order_id", "night") if self.source.corrects_orders else ("order_id",)

    def _identity(self, table: str) -> tuple[str, ...]:
        return self._version if table == "orders" else IDENTITY[table]

    def _kept(self, table: str) -> list[Rule]:
        return [rule for rule in self.rules.of(table) if rule.disposition == "keep"]

    def _charges(self) -> list[Rule]:
        return [rule for rule in self._kept("order_lines") if not rule.merchandise]

    def _judged(self, table: str) -> str:
        return self._judged_lines() if table == "order_lines" else self._judged_entities(table)

    def _facts(self, table: str) -> dict[str, str]:
        """What the judged rows of the table read, by name, in the order in which each rests on the ones before."""
        if table != "order_lines":
            return self._facts_of_entities(table)
        earlier = {
            **self._common(table, self._earlier(table, LINE_CONTENT)),
            "content": ", ".join(LINE_CONTENT),
            "copied": ", ".join((*LINE_CONTENT, *self._version[1:])),
        }
        names = ("line_fingerprints", "line_passes", "line_copies", "line_reversals", "known_orders", "earlier_lines")
        facts = {name: _template(name, {**earlier, "told": ", ".join(LINE_CONTENT)}) for name in names}
        if order_rules := self._rules_of("order"):
            kept = self._kept(table)
            facts["order_codes"] = _template(
                "order_codes",
                {
                    **self._common(table, ""),
                    "lines": self._lines_judged_alone("line_code"),
                    "merchandise_codes": _codes([rule for rule in kept if rule.merchandise]),
                    "order_cases": _cases(order_rules),
                },
            )
        return {**facts, **self._facts_of_versions()} if self.source.corrects_orders else facts

    def _facts_of_versions(self) -> dict[str, str]:
        told = ("order_id", "night", *VERSION_CONTENT)
        values = {
            **self._common("order_lines", self._earlier("order_lines", told)),
            "told": ", ".join(told),
            "content": ", ".join(VERSION_CONTENT),
            "row": f"{{{', '.join(f'{name}: {name}' for name in VERSION_CONTENT)}}}",
            "judged": self._lines_and_orders_judged(
                "order_code", only=" AND order_id IN (SELECT order_id FROM orders_again)"
            ),
            "kept_codes": _codes(self._kept("order_lines")),
            "version_cases": _cases(self._rules_of("version")),
        }
        # The same earlier lines, with the columns that tell versions apart.
        facts = {"earlier_versions": _template("earlier_lines", values)}
        return {**facts, **{name: _template(name, values) for name in ("orders_again", "order_versions")}}

    def _facts_of_entities(self, table: str) -> dict[str, str]:
        identity = self._identity(table)
        values = {
            **self._common(table, self._earlier(table, identity)),
            "identity": ", ".join(identity),
            "key": identity[0],
        }
        facts = {
            f"{table}_copies": _template("entity_copies", values),
            f"{table}_earlier": _template("earlier_entities", values),
        }
        if table == "orders" and self.source.corrects_orders:
            # A header follows its lines, which were judged before it.
            facts["orders_earlier"] = "SELECT order_id, night FROM order_versions WHERE code IS NOT NULL"
        if table == "orders":
            facts["lines_by_order"] = _template("lines_by_order", values)
        return facts

    def _rules_of(self, level: Level) -> list[Rule]:
        return [rule for rule in self.rules.of("order_lines") if rule.level == level]

    def _judged_lines(self) -> str:
        if not self.source.corrects_orders:
            return self._lines_and_orders_judged("code")
        values = {
            "judged": self._lines_and_orders_judged("order_code"),
            "kept_codes": _codes(self._kept("order_lines")),
        }
        return _template("judged_versions", values)

    def _lines_and_orders_judged(self, name: str, only: str = "") -> str:
        """The lines with what line and order rules say of them, in a column of that name; `only` narrows them."""
        if not self._rules_of("order"):
            return self._lines_judged_alone(name, only)
        values = {
            "lines": self._lines_judged_alone("line_code", only),
            "line_kept_codes": _codes(self._kept("order_lines")),
            "same_order": _same(self._version, "order_codes", "lines"),
            "as": name,
        }
        return _template("judged_by_order", values)

    def _lines_judged_alone(self, name: str, only: str = "") -> str:
        """The lines with what the line rules say of them, in a column of that name."""
        values = {
            **self._common("order_lines", ""),
            "in_scope": self.scope.condition + only,
            "content": ", ".join(LINE_CONTENT),
            "amount": RAW_TABLES["order_lines"].amount or "0",
            "line_code": f"CASE {_cases(self._rules_of('line'))} END",
            "as": name,
        }
        return _template("judged_lines", values)

    def _judged_entities(self, table: str) -> str:
        identity = self._identity(table)
        common = {
            **self._common(table, ""),
            "same_lines": " AND ".join(f"lines_by_order.{name} = header.{name}" for name in self._version),
        }
        delivered = "    SELECT * FROM {raw} WHERE {in_scope}".format(**common)
        earlier = f"{table}_earlier"
        return _template(
            "judged_entities",
            {
                "delivered": _template("orders_with_lines", common) if table == "orders" else delivered,
                "amount": RAW_TABLES[table].amount or "CAST(0 AS DECIMAL(18,4))",
                "identity": ", ".join(identity),
                "key": identity[0],
                "copies": f"{table}_copies",
                "earlier": earlier,
                "same_identity": _same(identity, earlier, "delivered"),
                "code": f"CASE {_cases(self.rules.of(table))} END",
            },
        )

    def _earlier(self, table: str, columns: Sequence[str]) -> str:
        """What was clean before the scope: nothing for the history, else the history and earlier nights."""
        if self.scope.night is None:
            nothing = ", ".join(f"CAST(NULL AS {_TYPES.get(name, TEXT)}) AS {name}" for name in columns)
            return f"SELECT {nothing} WHERE false"
        names = ", ".join(columns)
        return (
            f"SELECT {names} FROM orders.{table}_history "
            f"UNION ALL SELECT {names} FROM orders.{table} WHERE night < $night"
        )


def _same(columns: Iterable[str], left: str, right: str) -> str:
    """SQL condition that two rows agree in these columns, nulls included."""
    return " AND ".join(f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in columns)


def _cases(rules: Iterable[Rule]) -> str:
    return " ".join(f"WHEN {rule.when} THEN {quote_text(rule.code)}" for rule in rules)


def _codes(rules: list[Rule]) -> str:
    """The rules' codes as a SQL list; an impossible code stands for none, because IN () is no SQL."""
    return ", ".join(dict.fromkeys(quote_text(rule.code) for rule in rules)) or "''"


@cache
def _text(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


def _template(name: str, values: Mapping[str, str]) -> str:
    text = _text(name)
    for key, value in values.items():
        text = text.replace(f"{{{{{key}}}}}", value)
    return text
