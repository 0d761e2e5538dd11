"""Small images of synthetic people: each person mixes a few patterns differently, with noise."""

import numpy as np

SIDE, PATTERNS = 6, 4


def people(n: int = 8, each: int = 6, *, noise: float = 0.3, seed: int = 0):
    """Return images (n · each, 6, 6, 1) in float32, and the identity of each."""
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(0).standard_normal((PATTERNS, SIDE, SIDE, 1))
    mixed = np.tensordot(rng.standard_normal((n, PATTERNS)), patterns, axes=1)
    whose = np.repeat(np.arange(n), each)
    X = mixed[whose] + noise * rng.standard_normal((n * each, SIDE, SIDE, 1))
    return X.astype(np.float32), whose
