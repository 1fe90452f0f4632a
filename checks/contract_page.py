"""A page per contract for those who read the table and not its YAML, and the index of all of them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from checks.compiler import checks_of
from checks.contract import Band, Column, Contract
from checks.contract_files import SUFFIX
from checks.rules import Rule

MADE = "Made by `athena contracts pages`"
OTHER_COLUMNS = "columns or types other than these"


def contract_page(name: str, contract: Contract, tables: Sequence[str]) -> str:
    """One contract as Markdown.

    tables: the tables that the contract is of; more than its own name for a template.
    """
    lines = [
        f"# {name}",
        "",
        f"{MADE} from `checks/contracts/{name}{SUFFIX}`.",
        "",
        _cell(contract.description),
        "",
        *_table(["", ""], _facts(name, contract, tables)),
        "",
        "## Columns",
        "",
        *_table(["column", "type", "unit", "nulls", "values", "meaning"], [_column(each) for each in contract.columns]),
        "",
        "## Rules",
        "",
        "An ERROR stops everything downstream; a WARN informs. A limit is the largest number or share of such rows.",
        "",
        *_table(["rule", "check", "severity", "limit", "fault"], _rules(contract)),
    ]
    return "\n".join(lines) + "\n"


def index_page(contracts: Mapping[str, Contract]) -> str:
    """All contracts, one line each."""
    rows = []
    for name, contract in contracts.items():
        severities = [rule.severity for check in checks_of(contract) for rule in check.rules]
        rows.append(
            [
                f"[{name}]({name}.md)",
                contract.version,
                contract.owner,
                ", ".join(contract.consumers) or "–",
                str(severities.count("ERROR")),
                str(severities.count("WARN")),
            ]
        )
    return "\n".join(
        [
            "# Contracts",
            "",
            f"{MADE} from `checks/contracts/`: what is promised about every table, by whom and to whom.",
            "`model.*` and `predictions.*` are templates, of which every model has its own table.",
            "",
            *_table(["contract", "version", "owner", "consumers", "blocking rules", "warning rules"], rows),
            "",
        ]
    )


def _facts(name: str, contract: Contract, tables: Sequence[str]) -> list[list[str]]:
    facts = [["one row is", contract.grain], ["version", contract.version], ["owner", contract.owner]]
    facts.append(["consumers", ", ".join(contract.consumers) or "–"])
    facts.append(["key", ", ".join(f"`{column}`" for column in contract.keys) or "none"])
    partitions = f"by `{contract.partitioned_by}`" if contract.partitioned_by else "none"
    facts.append(["partitions", f"{partitions}; history in `{name}_history`" if contract.history else partitions])
    if contract.rows_every_open_day:
        facts.append(["freshness", "rows on every day on which the retailer trades"])
    promised = f"{contract.notice_days} days before a breaking change" if contract.notice_days else "none promised"
    facts.append(["notice", promised])
    if contract.notice is not None:
        said = "removal announced" if contract.ends else "announced"
        facts.append(["last notice", f"{said} {contract.notice[0]}, in effect from {contract.notice[1]}"])
    if list(tables) != [name]:
        facts.append(["tables", ", ".join(f"`{table}`" for table in tables)])
    return facts


def _column(column: Column) -> list[str]:
    values = []
    if column.minimum is not None or column.maximum is not None:
        low = "" if column.minimum is None else f"from {column.minimum}"
        high = "" if column.maximum is None else f"to {column.maximum}"
        values.append(f"{low} {high}".strip())
    if column.accepted:
        values.append("one of " + ", ".join(f"`{value}`" for value in column.accepted))
    if column.references:
        values.append(f"found in `{column.references}`")
    if column.quarantines:
        values.append("else the row is quarantined")
    name = f"`{column.name}`" + (" (key)" if column.key else "")
    return [name, f"`{column.type}`", column.unit or "", _nulls(column), "; ".join(values), column.description]


def _nulls(column: Column) -> str:
    if column.required:
        return "never"
    stops = "allowed" if column.null_limit is None else f"to {_share(column.null_limit)}"
    return stops if column.null_alert is None else f"{stops}, told above {_share(column.null_alert)}"


def _rules(contract: Contract) -> list[list[str]]:
    return [
        [
            f"`{rule.id}`",
            check.name,
            rule.severity,
            _limit(rule),
            rule.description or OTHER_COLUMNS,
        ]
        for check in checks_of(contract)
        for rule in check.rules
    ]


def _limit(rule: Rule) -> str:
    if rule.band is not None:
        return _band(rule.band)
    return _share(rule.limit) if rule.relative else f"{rule.limit}"


def _band(band: Band) -> str:
    always = _share(band.tolerance) if band.relative else f"{band.tolerance}"
    width = f"{always} or {band.spread} robust deviations" if band.spread else always
    sides = {"both": "around", "above": "above", "below": "below"}
    return f"{width} {sides[band.side]} the {band.centre} of {band.partitions} earlier partitions"


def _share(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(_cell(each) for each in line) + " |" for line in lines]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
