"""What is affected when a table, or some of its columns, is wrong or missing; and who owns it.

    graph = impact_graph(source, cache=settings.cache)          # once per command
    impact = graph.of("raw.orders", ["total_order_amount"])     # or graph.of("orders.orders") for the whole table
    impact.tables, impact.features, impact.models               # each with its owner
    impact.published, impact.consumers, impact.owners           # names
    impact.lines()                                              # the same for a person; asdict(impact) for a program

Derived from what exists, so that it cannot disagree with it: the SQL of cleaning (column by column), the SQL of
features and their populations, the models' feature lists and labels, the owners and consumers of contracts. A
consumer that is itself a table (`roles` in a contract) is an edge too. A table and its history count as one.

Columns are followed by value. Which rows cleaning keeps is judged from many columns at once, and following that
would make every column affect everything: where rows are missing, ask for the whole table.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from athena_assets.contracts import contracts_in_force, known_columns
from athena_assets.errors import AthenaError
from athena_assets.features.expressions import identifiers
from athena_assets.features.feature_contract import TABLE as FEATURE_TABLE
from athena_assets.features.feature_set import ACTIVE, FeatureSet, load_feature_set
from athena_assets.lifecycle.model_spec import MODELS, ModelSpec, load_model_spec, model_names
from athena_assets.lineage import column_lineage, tables_read
from athena_assets.nights import Night
from athena_assets.orders.cleaning import clean_statements
from athena_assets.orders.statements import Scope
from athena_assets.retailer import Retailer
from athena_assets.sources.source import Source
from checks.contract import Contract

Node = tuple[str, str]
"""(`schema.table`, column); a whole table is (`schema.table`, `WHOLE`), a feature at any `as_of` (`FEATURE`, name)."""

WHOLE = ""
FEATURE = "feature"
VIEWS = "orders.all_"
MOST_NAMED = 8


class NotInLineage(AthenaError):
    """Nothing is known of a table or column of that name."""


@dataclass(frozen=True)
class AffectedTable:
    """A table; `columns` are those that were followed to, none where the table is affected as a whole."""

    address: str
    owner: str
    consumers: tuple[str, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class AffectedFeature:
    """A feature whose value, or whose customers, come from what is asked about."""

    name: str
    owner: str


@dataclass(frozen=True)
class AffectedModel:
    """A model one of whose tables is affected; `features` are those of its affected features that it lists."""

    name: str
    owner: str
    team: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class Impact:
    """Everything downstream of a table or of some of its columns; the table itself comes first in `tables`."""

    table: str
    columns: tuple[str, ...]
    tables: tuple[AffectedTable, ...]
    features: tuple[AffectedFeature, ...]
    models: tuple[AffectedModel, ...]
    published: tuple[str, ...]

    @property
    def owners(self) -> tuple[str, ...]:
        """Everybody who owns something affected, sorted."""
        owned = {table.owner for table in self.tables} | {feature.owner for feature in self.features}
        return tuple(sorted(owned | {name for model in self.models for name in (model.owner, model.team)}))

    @property
    def consumers(self) -> tuple[str, ...]:
        """Who else reads the affected tables, sorted."""
        named = {table.address for table in self.tables} | {model.name for model in self.models}
        return tuple(sorted({name for table in self.tables for name in table.consumers} - named))

    def lines(self) -> list[str]:
        """For a person, one line each: features, models, tables, what is published, owners. Long lists are counted."""
        readers = {table.address: ", ".join(table.consumers) for table in self.tables}
        said = {
            "features": [f"{each.name} ({each.owner})" for each in self.features],
            "models": [f"{each.name} ({each.owner}, {each.team})" for each in self.models],
            "tables": [f"{each.address} ({each.owner})" for each in self.tables],
            "published": [f"{name} (read by {readers[name]})" for name in self.published],
            "owners": list(self.owners),
        }
        return [f"{what}: {_shortened(names)}" for what, names in said.items() if names]


@dataclass(frozen=True)
class ImpactGraph:
    """The lineage of one retailer, from what it delivers to what is published."""

    contracts: Mapping[str, Contract]
    feature_set: FeatureSet
    models: tuple[ModelSpec, ...]
    edges: Mapping[Node, frozenset[Node]]
    """Node -> what is computed from it."""

    def of(self, table: str, columns: Collection[str] | None = None) -> Impact:
        """What is affected by a table, `schema.table`, or by some of its columns.

        Raises `NotInLineage` for a table without a contract, or a column that the contract does not have.
        """
        table = _nightly(table)
        reached = self._reached({(table, column) for column in self._asked(table, columns)})
        touched = {address for address, _ in reached}
        features = {name for name in self.feature_set.columns if reached & {(FEATURE, name), (FEATURE_TABLE, name)}}
        affected = [
            AffectedTable(
                address,
                contract.owner,
                contract.consumers,
                ()
                if (address, WHOLE) in reached
                else tuple(each.name for each in contract.columns if (address, each.name) in reached),
            )
            for address, contract in self.contracts.items()
            if address in touched
        ]
        models = [spec for spec in self.models if touched & {*_tables_of(spec.name)}]
        return Impact(
            table,
            tuple(columns or ()),
            tuple(sorted(affected, key=lambda each: each.address != table)),
            tuple(
                AffectedFeature(name, self.feature_set.by_name[name].owner)
                for name in self.feature_set.columns
                if name in features
            ),
            tuple(
                AffectedModel(
                    spec.name,
                    spec.owner,
                    spec.team,
                    tuple(name for name in spec.features.resolve(self.feature_set.columns) if name in features),
                )
                for spec in models
            ),
            tuple(name for spec in models for name in _tables_of(spec.name)[-1:] if name in touched),
        )

    def _asked(self, table: str, columns: Collection[str] | None) -> Collection[str]:
        if table not in self.contracts:
            raise NotInLineage(
                f"nothing is known of the table {table}",
                expected=f"one of {', '.join(self.contracts)}",
                found=table,
                next_command="athena contracts",
            )
        if columns is None:
            return (WHOLE,)
        known = [column.name for column in self.contracts[table].columns]
        for column in columns:
            if column not in known:
                raise NotInLineage(
                    f"{table} has no column {column}", expected=f"one of {', '.join(known)}", found=column
                )
        return columns

    def _reached(self, start: set[Node]) -> set[Node]:
        reached, waiting = set(start), list(start)
        while waiting:
            new = self.edges.get(waiting.pop(), frozenset()) - reached
            reached |= new
            waiting += new
        return reached


def impact_graph(source: Source, *, models: Path = MODELS, cache: Path | None = None) -> ImpactGraph:
    """The lineage of the retailer that delivers `source`.

    cache: the home's cache folder, where the lineage of the cleaning SQL is kept by its text; tracing it anew
        takes seconds.
    """
    retailer = Retailer(source, Night(date.min), None)  # only its tables are asked for, and they have no date
    feature_set = load_feature_set(
        retailer.feature_tables,
        business_country=source.mapping.business_country,
        corrected=retailer.corrected_tables,
    )
    specs = tuple(load_model_spec(models / name) for name in model_names(models))
    contracts = contracts_in_force(retailer, feature_set, specs)
    traced: set[str] = {FEATURE_TABLE}
    edges: defaultdict[Node, set[Node]] = defaultdict(set)
    for source_node, target in (
        *_cleaning(retailer, cache),
        *_features(feature_set, contracts),
        *(edge for spec in specs for edge in _model(spec, feature_set, contracts)),
    ):
        if source_node != target:
            edges[source_node].add(target)
        if target[0].startswith("orders.") and target[1] != WHOLE:
            traced |= {source_node[0], target[0]}
    for address, contract in contracts.items():
        # Where the SQL says by which column a table is read, its contract's word for it would say less.
        named = {(name, WHOLE) for name in contract.consumers if name in contracts and not {address, name} <= traced}
        edges[(address, WHOLE)] |= named
        columns = {(address, column.name) for column in contract.columns}
        # Where columns are not followed, one of them stands for its table.
        below = set() if address in traced else {node for node in edges[(address, WHOLE)] if node[1] == WHOLE}
        for column in columns:
            edges[column] |= below
        edges[(address, WHOLE)] |= columns
    return ImpactGraph(contracts, feature_set, specs, {node: frozenset(below) for node, below in edges.items()})


def _cleaning(retailer: Retailer, cache: Path | None) -> Iterator[tuple[Node, Node]]:
    known = known_columns(retailer)
    # The text of a night, whichever it is: the night itself is a parameter.
    for statement in clean_statements(retailer.source, Scope.of_night(retailer.first_night)):
        target = _nightly(statement.target)
        for address in tables_read(statement.whole, [address for address, _ in known]):
            yield (_nightly(address), WHOLE), (target, WHOLE)
        for column, sources in column_lineage(statement.whole, known, cache).items():
            for address, name in sources:
                if _nightly(address) != target:
                    yield (_nightly(address), name), (target, column)


def _features(feature_set: FeatureSet, contracts: Mapping[str, Contract]) -> Iterator[tuple[Node, Node]]:
    for name, sources in feature_set.lineage.items():
        base = feature_set.bases[feature_set.by_name[name].table]
        _, _, conditions = base.sql.partition(f"FROM {base.source}")
        # Rows are put together by customer: whose row it is decides as much as the conditions do.
        selecting = f"customer_id {conditions}"
        read = {(_nightly(view), column) for view, column in sources}
        for node in read | _columns_in(selecting, _nightly(base.source), contracts):
            yield node, (FEATURE, name)
        yield (FEATURE, name), (FEATURE_TABLE, name)
        for built_on in feature_set.by_name[name].references:
            yield (FEATURE_TABLE, built_on), (FEATURE_TABLE, name)
    if ACTIVE in feature_set.lineage:
        yield (FEATURE_TABLE, ACTIVE), (FEATURE_TABLE, "customer_id")


def _model(spec: ModelSpec, feature_set: FeatureSet, contracts: Mapping[str, Contract]) -> Iterator[tuple[Node, Node]]:
    training_set, *_, candidate, _ = chain = _tables_of(spec.name)
    for name in spec.features.resolve(feature_set.columns):
        yield (FEATURE, name), (training_set, WHOLE)
        yield (FEATURE_TABLE, name), (candidate, WHOLE)
    yield (FEATURE_TABLE, "customer_id"), (candidate, WHOLE)
    for node in _columns_read(spec.labels_sql, contracts):
        yield node, (training_set, WHOLE)
    for table, made_of_it in pairwise(chain):
        yield (table, WHOLE), (made_of_it, WHOLE)


def _columns_read(text: str, contracts: Mapping[str, Contract]) -> Iterator[Node]:
    """Every column of the clean tables that a text over their views mentions."""
    views = {VIEWS + address.removeprefix("orders."): address for address in contracts if address.startswith("orders.")}
    for view in tables_read(text, list(views)):
        yield from _columns_in(text, views[view], contracts)


def _columns_in(text: str, table: str, contracts: Mapping[str, Contract]) -> set[Node]:
    words = identifiers(text)
    return {(table, column.name) for column in contracts[table].columns if column.name in words}


def _tables_of(model: str) -> tuple[str, ...]:
    """A model's tables, each made of the one before it."""
    own = (f"{model}.{table}" for table in ("training_set", "trained", "evaluation", "registered"))
    return (*own, f"predictions.{model}_candidate", f"predictions.{model}")


def _nightly(address: str) -> str:
    """The table of a view or of a history: the three hold the same columns."""
    if address.startswith(VIEWS):
        return f"orders.{address.removeprefix(VIEWS)}"
    return address.removesuffix("_history")


def _shortened(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:MOST_NAMED])} and {more} more"
