"""The records that a report tells of, made from a run and its data: seconds, nothing is trained."""

from dataclasses import fields
from typing import Any

import numpy as np

from chainrule.strategy.diagnosis import Diagnosis, diagnose
from chainrule.strategy.error_analysis import Mistakes, worst
from chainrule.strategy.explain import importance
from chainrule.strategy.findings import Finding, PartError
from chainrule.strategy.saliency import saliency
from chainrule.train.pixels import picture_shape
from chainrule.train.prepare import Data
from chainrule.train.run import Run

WORST = 18
"""Examples in the gallery."""


def records(run: Run, data: Data | None) -> dict[str, Any]:
    """What `report` takes beside the run and its data; without data what the run remembers."""
    if data is None:
        return {"diagnosis": recalled(run.facts.get("diagnosis"))}
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
    X = data.sources[mistakes.part].X[[one.index for one in mistakes.listed]]
    return saliency(run, np.asarray(X))


def recalled(saved: dict[str, Any] | None) -> Diagnosis | None:
    """The diagnosis that a run has kept as plain data."""
    if not saved:
        return None
    said = {field.name: saved[field.name] for field in fields(Diagnosis)}
    said["errors"] = tuple(PartError(**part) for part in saved["errors"])
    found = ({**one, "cures": tuple(one["cures"])} for one in saved["findings"])
    said["findings"] = tuple(Finding(**one) for one in found)
    return Diagnosis(**said)
