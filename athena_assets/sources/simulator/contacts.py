"""Service and campaign contacts as columns, filled day by day."""

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

TOPICS = ("delivery", "quality", "billing", "question")
QUESTION = TOPICS.index("question")
COMPLAINT_TOPIC_SHARE = (0.55, 0.30, 0.15)
COMPLAINT_LAG_DAYS = (1, 8)
SERVICE_CHANNELS = ("phone", "email", "chat")
ARMS = ("treatment", "holdout")
HOLDOUT = ARMS.index("holdout")
RESPONSE_WINDOW_DAYS = 14


@dataclass(frozen=True)
class ServiceContacts:
    """Service contacts in the order in which they happened; codes index the tuples of this module."""

    day: IntArray
    second: IntArray
    customer: IntArray
    topic: IntArray
    channel: IntArray
    is_resolved: BoolArray


@dataclass(frozen=True)
class CampaignContacts:
    """Campaign contacts in the order of assignment, those with an open window included.

    `number` counts them within the block. The last three columns are truth: whether the customer still was one,
    the grievance at the end of that day, and the rate of purchases a day, before season and campaign.
    """

    number: IntArray
    day: IntArray
    second: IntArray
    customer: IntArray
    arm: IntArray
    was_customer: BoolArray
    grievance: FloatArray
    purchase_rate: FloatArray


Columns = TypeVar("Columns", ServiceContacts, CampaignContacts)


def joined(parts: list[Columns]) -> Columns:
    """All parts one after the other, column by column."""
    kind = type(parts[0])
    return kind(*(np.concatenate([getattr(part, c.name) for part in parts]) for c in fields(kind)))


def selected(columns: Columns, rows: IntArray | BoolArray) -> Columns:
    """The given rows of every column."""
    kind = type(columns)
    return kind(*(getattr(columns, c.name)[rows] for c in fields(kind)))
