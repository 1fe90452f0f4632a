"""The fault corpus: one injector for each kind of rule, stage and environment that exists."""

from tests.faults.corpus import (
    completeness,
    computed,
    distribution,
    duplication,
    environment,
    relations,
    schema,
    values,
)
from tests.faults.corpus.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *schema.FAULTS,
    *completeness.FAULTS,
    *duplication.FAULTS,
    *values.FAULTS,
    *relations.FAULTS,
    *distribution.FAULTS,
    *computed.FAULTS,
    *environment.FAULTS,
)
