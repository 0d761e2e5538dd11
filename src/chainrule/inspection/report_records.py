"""The records that a report shows, computed from a run and its data in seconds, no training."""

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
"""The number of mistakes in the gallery."""


def records(run: Run, data: Data | None) -> dict[str, Any]:
    """Return the keyword arguments of `report`; without data, only the run's saved diagnosis."""
    if data is None:
        return {"diagnosis": saved_diagnosis(run.facts.get("diagnosis"))}
    mistakes = worst(run, data, count=WORST)
    return {
        "diagnosis": diagnose(run, data),
        "mistakes": mistakes,
        "saliencies": _saliencies(run, data, mistakes),
        "importances": importance(run, data),
    }


def _saliencies(run: Run, data: Data, mistakes: Mistakes) -> np.ndarray | None:
    """Return the saliency maps of the mistakes, or None if the examples are not images."""
    if picture_shape(run.door) is None or not mistakes.listed:
        return None
    X = data.sources[mistakes.part].X[[one.index for one in mistakes.listed]]
    return saliency(run, np.asarray(X))


def saved_diagnosis(saved: dict[str, Any] | None) -> Diagnosis | None:
    """Return the diagnosis that a run has saved as plain data, or None without one."""
    if not saved:
        return None
    values = {field.name: saved[field.name] for field in fields(Diagnosis)}
    values["errors"] = tuple(PartError(**part) for part in saved["errors"])
    findings = ({**one, "cures": tuple(one["cures"])} for one in saved["findings"])
    values["findings"] = tuple(Finding(**one) for one in findings)
    return Diagnosis(**values)
