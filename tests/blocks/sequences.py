"""Sequences of different lengths, and a loop over their steps in the plainest form."""

import jax.numpy as jnp

T, N_X, N_A, M = 4, 3, 2, 5
LENGTHS = jnp.array([4, 2, 0, 1, 3])
"""All steps, none, and numbers in between."""


def run_steps(cell, X, states, lengths=None, reverse=False):
    """Return the states after every step, stacked over time; 0 where a step is not real."""
    lengths = jnp.full(X.shape[2], len(X)) if lengths is None else lengths
    results = {}
    for t in reversed(range(len(X))) if reverse else range(len(X)):
        real = t < lengths
        after = cell(X[t], *states)
        states = [jnp.where(real, new, old) for new, old in zip(after, states, strict=True)]
        results[t] = [jnp.where(real, state, 0) for state in states]
    return [jnp.stack([results[t][i] for t in range(len(X))]) for i in range(len(states))]
