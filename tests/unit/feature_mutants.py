"""Small faults written into the SQL of features, one at a time: what a slip of the hand would make of it."""

import re
from collections.abc import Iterator
from dataclasses import replace

from athena_assets.features.feature_set import FeatureSet

SLIPS: tuple[tuple[str, str], ...] = (
    (r"<=", "<"),
    (r">=", ">"),
    (r"(?<!<)<(?![=<>])", "<="),
    (r"(?<!<)>(?!=)", ">="),
    (r"(?<![<>])=", "<>"),
    (r"<>", "="),
    (r"\bAND\b", "OR"),
    (r"\bNOT ", ""),
    (r"\bIN\b", "NOT IN"),
    (r"\bIS NOT NULL", "IS NULL"),
    (r"\bis_(?:purchase|return|contacted|response|complaint|resolved|weekend|online)\b", "true"),
    (r"\bis_purchase\b", "is_return"),
    (r"\bis_return\b", "is_purchase"),
    (r"\bis_response\b", "is_contacted"),
    (r"\bcount\((?!\*)\w+\)", "count(*)"),
    (r"\bsum\(", "max("),
    (r"\bmax\(", "min("),
    (r"\bmin\(", "max("),
    (r"\barg_max\(", "arg_min("),
    (r"\bbit_or\(", "bit_and("),
    (r" FILTER \([^()]*\)", ""),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " + "),
    (r"(?<![\w\s])-(?=\w)", ""),
    (r"'\w+'", "'nothing'"),
    (r"\{(\w+)\}", r"({\1} + 1)"),
)
"""Pattern and what it is replaced by, at each place where it stands."""

_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_TYPE = re.compile(r"DECIMAL\([^)]*\)")


def mutants(sql: str) -> Iterator[str]:
    """Every text that differs from `sql` by one slip: another operator, a flag less, a whole number off by one."""
    for pattern, instead in SLIPS:
        for match in re.finditer(pattern, sql):
            yield sql[: match.start()] + match.expand(instead) + sql[match.end() :]
    types = [range(match.start(), match.end()) for match in _TYPE.finditer(sql)]
    for match in _NUMBER.finditer(sql):
        if not any(match.start() in span for span in types):
            for number in (int(match.group()) - 1, int(match.group()) + 1):
                yield f"{sql[: match.start()]}{number}{sql[match.end() :]}"


def with_feature(features: FeatureSet, name: str, expression: str) -> FeatureSet:
    """The one feature, its SQL replaced."""
    changed = [
        feature.model_copy(update={"expression": expression}) if feature.name == name else feature
        for feature in features.features
    ]
    return replace(features, features=tuple(changed), columns=(name,))


def with_base(features: FeatureSet, table: str, sql: str) -> FeatureSet:
    """The features that read one base table, its SQL replaced."""
    base = features.bases[table].model_copy(update={"sql": sql})
    columns = tuple(feature.name for feature in features.features if feature.table == table)
    return replace(features, bases={**features.bases, table: base}, columns=columns)
