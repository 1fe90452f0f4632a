"""A record, a dataclass of plain values, as the row that a store takes."""

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def values(record: "DataclassInstance") -> tuple[object, ...]:
    """The values of a dataclass in the order of its fields; `dataclasses.astuple` would copy each of them."""
    return _values_of(type(record))(record)


def naive_values(record: "DataclassInstance") -> tuple[object, ...]:
    """The same with UTC timestamps as naive ones, as the warehouse keeps them."""
    return tuple([value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in values(record)])


@cache
def _values_of(kind: type["DataclassInstance"]) -> Callable[[object], tuple[object, ...]]:
    """What reads the values of a record of that class, which has two fields or more."""
    return attrgetter(*(field.name for field in fields(kind)))
