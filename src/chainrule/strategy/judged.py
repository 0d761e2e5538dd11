"""Evaluate each example of a set: its prediction, the probability of that, its loss and error."""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.blocks.losses import logistic_loss, softmax_loss, squared_loss
from chainrule.data.batches import padded
from chainrule.errors import check_choice
from chainrule.train.outputs import network_outputs
from chainrule.train.prepare import Data, labelled
from chainrule.train.run import Run

LOSSES = {"logistic": logistic_loss, "softmax": softmax_loss, "squared": squared_loss}


class ExampleResults(NamedTuple):
    """The results for the m examples of a set.

    true     (m,) the labels
    answers  (m,) the predictions: labels, or numbers in the target's units
    sure     (m,) the probability of each prediction; None in regression
    costs    (m,) the loss of each example
    error    (m,) 1 where the class is wrong, or the squared error in the target's units
    """

    true: np.ndarray
    answers: np.ndarray
    sure: np.ndarray | None
    costs: np.ndarray
    error: np.ndarray


def evaluate_examples(run: Run, data: Data, part: str) -> ExampleResults:
    """Evaluate the network on each example of a set."""
    check_choice("the set", part, data.parts)
    door, rows = run.door, data.parts[part]
    Z, true = network_outputs(run.network, rows.X), labelled(data.sources[part])
    answers, costs = door.answers(Z), losses(Z, rows.Y, door.cost)
    if door.labels.task == "classification":
        sure = door.probabilities(Z)[np.arange(len(Z)), door.said(Z)]
        return ExampleResults(true, answers, sure, costs, (answers != true).astype(float))
    squares = (np.asarray(answers, np.float64) - true) ** 2
    return ExampleResults(true, answers, None, costs, squares.reshape(len(Z), -1).sum(axis=1))


def losses(Z: np.ndarray, Y: np.ndarray, cost: str) -> np.ndarray:
    """Return the loss of each example (m,), from Z and Y (m, n_L)."""
    padding = ((0, padded(len(Z)) - len(Z)), (0, 0))
    return np.asarray(_losses(np.pad(Z, padding), np.pad(Y, padding), cost=cost))[0, : len(Z)]


def default_part(data: Data) -> str:
    """Return the set whose mistakes are analysed: dev, or else test, or else train."""
    return next(part for part in ("dev", "test", "train") if part in data.parts)


@partial(jax.jit, static_argnames="cost")
def _losses(Z: Any, Y: Any, *, cost: str):
    return LOSSES[cost](Z.T, Y.T)
