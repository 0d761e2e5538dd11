"""Small pictures of made-up people: each mixes a few patterns in its own way, seen under noise."""

import numpy as np

SIDE, PATTERNS = 6, 4


def people(n: int = 8, each: int = 6, *, noise: float = 0.3, seed: int = 0):
    """Pictures (n · each, 6, 6, 1) in float32, and whose each is."""
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(0).standard_normal((PATTERNS, SIDE, SIDE, 1))
    mixed = np.tensordot(rng.standard_normal((n, PATTERNS)), patterns, axes=1)
    whose = np.repeat(np.arange(n), each)
    X = mixed[whose] + noise * rng.standard_normal((n * each, SIDE, SIDE, 1))
    return X.astype(np.float32), whose
