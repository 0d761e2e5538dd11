"""The records that a report tells of, made from a run and its data: seconds, nothing is trained."""

from typing import Any

import numpy as np

from chainrule.strategy.diagnosis import diagnose
from chainrule.strategy.error_analysis import Mistakes, worst
from chainrule.strategy.explain import importance
from chainrule.strategy.pixels import picture_shape
from chainrule.strategy.saliency import saliency
from chainrule.train.prepare import Data
from chainrule.train.run import Run

WORST = 18
"""Examples in the gallery."""


def records(run: Run, data: Data | None) -> dict[str, Any]:
    """What `report` takes beside the run and its data; nothing without data."""
    if data is None:
        return {}
    mistakes = worst(run, data, count=WORST)
    return {
        "diagnosis": diagnose(run, data),
        "mistakes": mistakes,
        "saliencies": _saliencies(run, data, mistakes),
        "importances": importance(run, data),
    }


def _saliencies(run: Run, data: Data, mistakes: Mistakes) -> np.ndarray | None:
    """Where the network looked in the pictures of its mistakes."""
    if picture_shape(run.door) is None or not mistakes.listed:
        return None
    X = np.asarray(data.sources[mistakes.part].X)
    return saliency(run, X[[one.index for one in mistakes.listed]])
