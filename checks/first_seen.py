"""The one question about other tables that later nights cannot change: was a value first known on its row's night?

In a rule it reads `FILTER (WHERE (key, night) IN (SELECT key, min(night) FROM table GROUP BY key)`. Whatever later
nights bring, a row of an earlier one stays the first of its key or stays none; and of one night only keys that came on
it can be meant, so that the other rows of a register of millions need not be grouped.
"""

import re

_FIRST_SEEN = re.compile(
    r"(?<=FILTER \(WHERE )\((?P<key>\w+), night\) IN \(SELECT (?P=key), min\(night\) FROM (?P<table>[\w.]+)"
    r"(?: WHERE (?P=key) IS NOT NULL)? GROUP BY (?P=key)\)(?=\)| OR )"
)
"""Only as a condition of its own or beside an OR: there it is all the same whether it is false or null."""


def of_one_night(expression: str) -> str:
    """The same figure for the rows of the night `$partition`: only keys that came on it are grouped."""
    return _FIRST_SEEN.sub(
        r"(\g<key>, night) IN (SELECT \g<key>, min(night) FROM \g<table> WHERE \g<key> IN"
        r" (SELECT \g<key> FROM \g<table> WHERE night = CAST($partition AS DATE)) GROUP BY \g<key>)",
        expression,
    )


def registers_of(expression: str) -> set[str] | None:
    """The tables, `schema.table`, that an expression asks this of; None where it looks into tables in any other way."""
    if re.search(r"\bSELECT\b", _FIRST_SEEN.sub("", expression), re.IGNORECASE):
        return None
    return {match["table"] for match in _FIRST_SEEN.finditer(expression)}
