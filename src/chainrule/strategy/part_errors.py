"""The error of each part of a run's data, and how sure it is.

    classes   1 − accuracy                      Wilson's interval
    numbers   √((1/m) Σ (Z − Y)²), the RMSE     ± z s/√m of the mean square, s its deviation

in the target's units. Where examples have weights w, m counts as (Σ w)² / Σ w².
"""

import math
from collections.abc import Mapping

import numpy as np

from chainrule.strategy.findings import PartError, Unit
from chainrule.strategy.shares import Z as CERTAIN
from chainrule.strategy.shares import wilson
from chainrule.train.door import Door
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs
from chainrule.train.prepare import Data
from chainrule.train.run import Run


def each_outputs(run: Run, data: Data) -> dict[str, np.ndarray]:
    """Z (m, n_L) of every part."""
    return {name: network_outputs(run.network, part.X) for name, part in data.parts.items()}


def unit_of(door: Door) -> Unit:
    """What the errors are counted in."""
    return "rmse" if door.labels.task == "regression" else "share"


def misses(Z: np.ndarray, part: Examples, door: Door) -> np.ndarray:
    """(m,) of each example: 1 where the class is wrong, or the squared error in its units."""
    if door.labels.task == "regression":
        return (((Z.astype(float) - part.Y) * door.outputs.scale) ** 2).mean(axis=1)
    return (codes(Z, 0.0) != codes(part.Y, 0.5)).astype(float)


def codes(values: np.ndarray, middle: float) -> np.ndarray:
    """(m,) the class as a number, from Z or Y (m, n_L); one column is yes above the middle."""
    return (values[:, 0] > middle).astype(int) if values.shape[1] == 1 else values.argmax(axis=1)


def part_error(name: str, missed: np.ndarray, weights: np.ndarray | None, unit: Unit) -> PartError:
    """The error of a part with its interval, from that of each example."""
    w = np.ones(len(missed)) if weights is None else np.asarray(weights, float)
    m = w.sum() ** 2 / (w**2).sum()
    mean = float((w * missed).sum() / w.sum())
    if unit == "share":
        return PartError(name, len(missed), mean, *wilson(mean, m))
    reach = CERTAIN * math.sqrt(float((w * (missed - mean) ** 2).sum() / w.sum()) / m)
    ends = (math.sqrt(max(0.0, mean - reach)), math.sqrt(mean + reach))
    return PartError(name, len(missed), math.sqrt(mean), *ends)


def part_errors(each: Mapping[str, np.ndarray], data: Data) -> list[PartError]:
    """Of every part, in their order; `each` are the misses of its examples."""
    unit = unit_of(data.door)
    return [
        part_error(name, missed, data.parts[name].weights, unit) for name, missed in each.items()
    ]


def typed_error(name: str, error: float, m: int | None) -> PartError:
    """An error that somebody typed in; without m it is taken as exact."""
    low, high = (error, error) if m is None else wilson(error, m)
    return PartError(name, m, error, low, high)
