"""The recurrent networks that are timed, as plain PyTorch modules, time first."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.cases import LEARNING_RATE

KINDS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


class ManyToOne(nn.Module):
    """A recurrent layer, and a dense one on its last step."""

    def __init__(self, kind: str, n_x: int, n_a: int, classes: int):
        super().__init__()
        self.recurrent, self.dense = KINDS[kind](n_x, n_a), nn.Linear(n_a, classes)

    def forward(self, X):
        """The logits."""
        return self.dense(self.recurrent(X)[0][-1])


def training_steps(module: nn.Module, X: np.ndarray, classes: np.ndarray, steps: int) -> Callable:
    """Steps of the usual loop with a number of threads; X is (m, T, n_x)."""
    inputs = torch.from_numpy(np.ascontiguousarray(X.swapaxes(0, 1)))
    targets = torch.from_numpy(classes)
    optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE, fused=True)

    def run(threads: int) -> None:
        torch.set_num_threads(threads)
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(module(inputs), targets).backward()
            optimizer.step()

    return run
