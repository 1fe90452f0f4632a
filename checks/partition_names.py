"""Partitions as a person names them: a month by its year and number, a night by its day."""

import re

import dagster as dg

_MONTH = re.compile(r"\d{4}-\d{2}")


def is_monthly(partitions: dg.PartitionsDefinition | None) -> bool:
    """Whether partitions are months, whose keys are their first days."""
    return isinstance(partitions, dg.MonthlyPartitionsDefinition)


def key_named(partitions: dg.PartitionsDefinition | None, text: str) -> str:
    """The key of the partition that is meant: of months, `YYYY-MM` is the first day; any other text is itself."""
    return f"{text}-01" if is_monthly(partitions) and _MONTH.fullmatch(text) else text


def can_ever_be(partitions: dg.PartitionsDefinition | None, key: str) -> bool:
    """Whether there is a partition of that name or will be; a night to come will, the fifth of a month is no month."""
    if partitions is None:
        return key == ""
    first = partitions.get_first_partition_key()
    return (first is None or key >= first) and (not is_monthly(partitions) or key.endswith("-01"))
