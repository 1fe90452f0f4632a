"""Exact money: amounts are whole quanta of 1e-12 of the currency, and every split conserves its total.

An amount is a `Decimal` with at most 12 decimals (the sample bill of FOCUS has 11, its unit prices 12). Finer
input is refused, floats are refused, and nothing is rounded except where a price meets a quantity
(`rated`) and where a figure is shown (`shown`).
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from math import lcm
from typing import TypeVar

from athena_assets.errors import AthenaError

Key = TypeVar("Key", bound=Hashable)

DECIMALS = 12
QUANTUM = Decimal(1).scaleb(-DECIMALS)
ZERO = Decimal(0).quantize(QUANTUM)
MINOR_DIGITS = {"USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "JPY": 0}
"""Digits of the currencies that can be shown; a subunit is 10 ** -digits (ISO 4217)."""

_EXACT = Context(prec=76, traps=[Inexact, InvalidOperation])
_ROUNDING = Context(prec=76, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
_PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


class InvalidAmount(AthenaError):
    """Not an amount of money that the ledger can hold exactly."""


class MixedCurrencies(AthenaError):
    """Amounts of several currencies met where one is meant."""


class NothingToSplitBy(AthenaError):
    """A split without receivers, or whose weights add up to zero."""


def parse(value: object, *, what: str) -> Decimal:
    """An amount from text, an integer or a Decimal, padded to 12 decimals.

    Raises `InvalidAmount`, naming `what`, for floats (they have already lost the amount), for text that is
    not plain decimal digits, and for anything finer than the quantum.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidAmount(
            f"{what} is not an exact number",
            expected="text such as '0.031611', an integer or a Decimal",
            found=f"{type(value).__name__} {value!r}",
            next_command="put the number in quotes",
        )
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    if not _PLAIN.fullmatch(text):
        raise InvalidAmount(f"{what} is not a number", expected="digits such as 1234.56", found=repr(value))
    return from_quanta(to_quanta(Decimal(text), what=what))


def to_quanta(amount: Decimal, *, what: str = "the amount") -> int:
    """The amount in whole quanta; raises `InvalidAmount` when it is finer or not finite."""
    if amount.is_finite():
        scaled = _EXACT.scaleb(amount, DECIMALS)
        if scaled == scaled.to_integral_value():
            return int(scaled)
    raise InvalidAmount(
        f"{what} is finer than the ledger's quantum",
        expected=f"at most {DECIMALS} decimals",
        found=str(amount),
    )


def from_quanta(quanta: int) -> Decimal:
    """The amount of so many quanta, with 12 decimals."""
    return _EXACT.scaleb(Decimal(quanta), -DECIMALS)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum, whatever the order and however many digits it takes."""
    return from_quanta(sum(to_quanta(amount) for amount in amounts))


def times(amount: Decimal, factor: Decimal | int, *, what: str) -> Decimal:
    """The exact product; raises `InvalidAmount`, naming `what`, when it is finer than the quantum."""
    return from_quanta(to_quanta(_EXACT.multiply(amount, Decimal(factor)), what=what))


def quantity(numerator: int, denominator: int) -> Decimal:
    """A pricing quantity with 12 decimals, half even: microseconds to hours, byte-microseconds to GiB-hours."""
    return from_quanta(round(Fraction(numerator * 10**DECIMALS, denominator)))


def rated(unit_price: Decimal, pricing_quantity: Decimal) -> Decimal:
    """What a quantity costs at a price, rounded half even to the quantum: the one place where it is."""
    return _ROUNDING.multiply(unit_price, pricing_quantity).quantize(QUANTUM, context=_ROUNDING)


def per_unit(amount: Decimal, units: int | None) -> Decimal | None:
    """`amount / units` half even to the quantum; None when there is nothing to divide by (never 0)."""
    if not units:
        return None
    return from_quanta(round(Fraction(to_quanta(amount), units)))


def one_currency(currencies: Iterable[str]) -> str:
    """The one currency of all amounts; raises `MixedCurrencies` for several or none."""
    found = sorted(set(currencies))
    if len(found) != 1:
        raise MixedCurrencies(
            "amounts can only be added in one currency", expected="one currency", found=", ".join(found) or "none"
        )
    return found[0]


def split(amount: Decimal, weights: Mapping[str, Decimal | int]) -> dict[str, Decimal]:
    """Share `amount` in proportion to non-negative `weights`; the parts add up to it exactly.

    Largest remainder in quanta, ties by key. A credit is split exactly as the charge that it takes back, so
    that both cancel for every receiver. Raises `NothingToSplitBy`.
    """
    shares = _whole({key: weights[key] for key in sorted(weights)})
    whole = sum(shares.values())
    if whole <= 0 or any(share < 0 for share in shares.values()):
        raise NothingToSplitBy(
            "an amount cannot be split",
            expected="weights of at least 0 that do not all vanish",
            found=", ".join(f"{key} {weights[key]}" for key in shares) or "no receiver",
        )
    quanta = to_quanta(amount)
    sign = -1 if quanta < 0 else 1
    parts = _largest_remainder({key: abs(quanta) * share for key, share in shares.items()}, whole, abs(quanta))
    return {key: from_quanta(sign * part) for key, part in parts.items()}


def shown(amounts: Mapping[Key, Decimal], currency: str) -> dict[Key, Decimal]:
    """Every amount in subunits of the currency, so that the column adds up to its own rounded total.

    The total is rounded half up; the subunits that plain flooring leaves over go to the largest remainders,
    ties by key (invariant I2). Rounding every line by itself would print 20.57 under a bill of 20.52.
    """
    digits = minor_digits(currency)
    subunit = 10 ** (DECIMALS - digits)
    quanta = {key: to_quanta(amounts[key]) for key in sorted(amounts, key=_order)}
    target = int(rounded(total(amounts.values()), currency).scaleb(digits))
    parts = _largest_remainder(quanta, subunit, target)
    return {key: Decimal(parts[key]).scaleb(-digits) for key in amounts}


def rounded(amount: Decimal, currency: str) -> Decimal:
    """One amount alone in subunits of the currency, half up (away from zero)."""
    step = Decimal(1).scaleb(-minor_digits(currency))
    return amount.quantize(step, rounding=ROUND_HALF_UP, context=_ROUNDING)


def minor_digits(currency: str) -> int:
    """Decimals in which the currency is shown; raises `InvalidAmount` for an unknown one."""
    if currency not in MINOR_DIGITS:
        raise InvalidAmount(
            "the currency is not known here",
            expected=", ".join(MINOR_DIGITS),
            found=repr(currency),
            next_command="add its minor digits (ISO 4217) to cost/money.py",
        )
    return MINOR_DIGITS[currency]


def _whole(weights: Mapping[str, Decimal | int]) -> dict[str, int]:
    """Integers in the proportion of the weights."""
    exact = {key: Fraction(weight) for key, weight in weights.items()}
    common = lcm(*(weight.denominator for weight in exact.values()))
    return {key: weight.numerator * (common // weight.denominator) for key, weight in exact.items()}


def _largest_remainder(numerators: Mapping[Key, int], denominator: int, target: int) -> dict[Key, int]:
    """Integers next to the fractions that add up to `target`; keys must come in the order that settles ties."""
    floors = {key: numerator // denominator for key, numerator in numerators.items()}
    left = target - sum(floors.values())
    # Python's sort is stable in reverse, too, so equal remainders stay in key order.
    by_remainder = sorted(numerators, key=lambda key: numerators[key] % denominator, reverse=True)
    for key in by_remainder[:left]:
        floors[key] += 1
    return floors


def _order(key: object) -> tuple[str, ...]:
    return tuple(str(part) for part in key) if isinstance(key, tuple) else (str(key),)
