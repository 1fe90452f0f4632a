"""Says a feature's value in words that the retention team can use."""

import math
from decimal import Decimal

from athena_assets.errors import InvalidArgument
from athena_assets.features.definition import FeatureDefinition

Value = bool | int | float | Decimal | None


def words(feature: FeatureDefinition, value: Value, *, typical: float | None = None) -> str:
    """The value as a phrase, for instance "last bought 143 days ago".

    value: as the feature table holds it; NaN reads as null, because that is how arrays hold one.
    typical: the value to compare with, usually the population's median; the header's pivot where none is given.
    Raises `InvalidArgument` for a null that the feature's null policy does not allow.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        if feature.words.missing is None:
            raise InvalidArgument(
                f"feature {feature.name} is null", expected=f"a value: {feature.null_policy}", found="null"
            )
        return feature.words.missing
    if value == 0 and feature.words.zero is not None:
        return feature.words.zero
    threshold = feature.words.pivot if typical is None else typical
    template = feature.words.high if value >= threshold else feature.words.low
    return template.format(
        value=_number(feature, value), percent=f"{round(value * 100)} %", s="" if value == 1 else "s"
    )


def _number(feature: FeatureDefinition, value: bool | int | float | Decimal) -> str:
    if feature.unit == "currency":
        return f"{value:,.2f}"
    if value == int(value) and feature.dtype != "DOUBLE":
        return f"{int(value):,}"
    return f"{value:,.1f}"
