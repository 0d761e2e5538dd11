"""Measure what a goal may ask for: the scores of a network, its prediction time and its size."""

import time

import numpy as np

from chainrule.layers.layer import Layer, count_parameters
from chainrule.strategy.goal import Goal
from chainrule.train.door import Door
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs

TIMES = 30
WARM_UP = 3


def measure(goal: Goal, network: Layer, door: Door, part: Examples) -> dict[str, float]:
    """Compute every score of the task on a set, and the time and size that the goal mentions."""
    Z = network_outputs(network, part.X)
    found = goal.scores(door, Z, part.Y, part.weights)
    if "parameters" in goal.metrics:
        found["parameters"] = count_parameters(network)
    if "prediction" in goal.metrics:
        found["prediction"] = prediction_ms(network, door)
    return found


def prediction_ms(network: Layer, door: Door) -> float:
    """Return the median time to predict one row in milliseconds, without compilation."""
    row = np.zeros((1, door.n_x), np.float32)
    seconds = []
    for _ in range(WARM_UP + TIMES):
        began = time.perf_counter()
        network_outputs(network, row)
        seconds.append(time.perf_counter() - began)
    return 1000 * float(np.median(seconds[WARM_UP:]))
