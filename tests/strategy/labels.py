"""Preprocessors and random network outputs, for the tests of goals."""

import numpy as np

from chainrule.data.labels import Labels
from chainrule.runs.preprocessing import Preprocessor


def door_of(y) -> Preprocessor:
    """Return a preprocessor for these labels."""
    y = np.array(y)
    labels, X = Labels.learn(y), np.arange(len(y), dtype=float)[:, None]
    return Preprocessor.learn(X, labels.encode(y), labels)


TWO = door_of(["benign", "malignant"] * 2)
THREE = door_of(["cat", "dog", "black and white"] * 2)
NUMBERS = door_of([10.0, 20.5, 30.0, 40.0])


def outputs(preprocessor: Preprocessor, seed: int = 0, m: int = 80) -> tuple[np.ndarray, ...]:
    """Return Z of a network and of a better one, Y and weights; with ties, and with every class."""
    rng = np.random.default_rng(seed)
    if preprocessor.labels.task == "regression":
        Y = rng.standard_normal((m, 1))
        return (
            Y + rng.standard_normal((m, 1)),
            Y + 0.5 * rng.standard_normal((m, 1)),
            Y,
            *weights(m),
        )
    C = len(preprocessor.labels.names)
    y = rng.permutation(np.arange(m) % C)
    noise = rng.standard_normal((m, C))
    Z = [np.round(noise + s * np.eye(C)[y], 1) for s in (0.7, 1.5)]
    if C == 2:
        return *(each[:, 1:] - each[:, :1] for each in Z), y[:, None].astype(float), *weights(m)
    return *Z, np.eye(C)[y], *weights(m)


def weights(m: int) -> tuple[np.ndarray]:
    """Return weights from 0.5 to 2."""
    return (np.random.default_rng(9).integers(1, 5, m) / 2,)
