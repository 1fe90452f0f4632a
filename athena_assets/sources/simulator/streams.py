"""Random streams addressed by what they are for, so that no draw depends on how many came before it elsewhere."""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """The first part of a stream's address. Values are part of the output's bytes: append, never renumber."""

    CATALOGUE = 1
    LAUNCH = 2
    ARRIVALS = 3
    NIGHT_ARRIVALS = 4
    TRAIT = 5
    DAY = 6
    REVISION = 7
    LIFE = 8
    LATE = 9
    OUTAGE = 10
    CORRECTED = 11
    CORRECTION = 12


def stream(seed: int, purpose: Purpose, *address: int) -> np.random.Generator:
    """The generator of one address; equal arguments always give the same sequence (numpy is pinned)."""
    return np.random.Generator(
        np.random.SFC64(np.random.SeedSequence(entropy=seed, spawn_key=(int(purpose), *address)))
    )
