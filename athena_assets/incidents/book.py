"""What the book reports of the incident: printed beside what is measured, and never an input of anything."""

from typing import Final

NULL_RATE: Final = 0.942
"""Null rate of the affected features after the rename."""
POSITIVES_BEFORE: Final = 0.14
"""Share of customers predicted to churn before it."""
POSITIVES_AFTER: Final = 0.62
"""The same share after it."""
NOTICED: Final = "silently, three weeks after launch"
"""How the model failed, in the book's words; it does not say how many hours passed until somebody noticed."""
