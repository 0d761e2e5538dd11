"""What a run says of each example of a part: its answer, how sure it is, what that costs."""

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


class Judged(NamedTuple):
    """Of the m examples of a part; `sure` is None where numbers are predicted.

    answers  as the labels are written, or numbers in the target's units
    sure     (m,) how likely the answer is, by the network
    costs    (m,) the loss of each example
    error    (m,) of each example: 1 where a class is wrong, or the squared error in its units
    """

    true: np.ndarray
    answers: np.ndarray
    sure: np.ndarray | None
    costs: np.ndarray
    error: np.ndarray


def judge(run: Run, data: Data, part: str) -> Judged:
    """The network's word on each example of the part."""
    check_choice("the part", part, data.parts)
    door, rows = run.door, data.parts[part]
    Z, true = network_outputs(run.network, rows.X), labelled(data.sources[part])
    answers, costs = door.answers(Z), losses(Z, rows.Y, door.cost)
    if door.labels.task == "classification":
        sure = door.probabilities(Z)[np.arange(len(Z)), door.said(Z)]
        return Judged(true, answers, sure, costs, (answers != true).astype(float))
    squares = (np.asarray(answers, np.float64) - true) ** 2
    return Judged(true, answers, None, costs, squares.reshape(len(Z), -1).sum(axis=1))


def losses(Z: np.ndarray, Y: np.ndarray, cost: str) -> np.ndarray:
    """The loss of each example (m,), from Z and Y (m, n_L)."""
    room = ((0, padded(len(Z)) - len(Z)), (0, 0))
    return np.asarray(_losses(np.pad(Z, room), np.pad(Y, room), cost=cost))[0, : len(Z)]


def default_part(data: Data) -> str:
    """Where mistakes are looked at: dev; where there is none, test or train."""
    return next(part for part in ("dev", "test", "train") if part in data.parts)


@partial(jax.jit, static_argnames="cost")
def _losses(Z: Any, Y: Any, *, cost: str):
    return LOSSES[cost](Z.T, Y.T)
