"""The records that a report tells of, made from a run and its data: seconds, nothing is trained."""

from typing import Any

from chainrule.strategy.diagnosis import diagnose
from chainrule.strategy.error_analysis import worst
from chainrule.train.prepare import Data
from chainrule.train.run import Run

WORST = 24
"""Examples in the gallery."""


def records(run: Run, data: Data | None) -> dict[str, Any]:
    """What `report` takes beside the run and its data; nothing without data."""
    if data is None:
        return {}
    return {"diagnosis": diagnose(run, data), "mistakes": worst(run, data, count=WORST)}
