"""Candidates of the notes' network, trained together and alone."""

import numpy as np

from chainrule.blocks.costs import logistic_cost
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.fit import fit
from chainrule.train.many import Candidate, fit_many
from tests.train.problem import DEV, TRAIN, network, weights

RATES = (0.1, 0.5, 2.0)


def descents(rates=RATES) -> list[Candidate]:
    return [Candidate(network(), gradient_descent(rate)) for rate in rates]


def train(candidates=None, *, cost=logistic_cost, train=TRAIN, dev=DEV, epochs=6, **options):
    candidates = descents() if candidates is None else candidates
    return fit_many(candidates, cost, train, dev, epochs=epochs, **options)


def alone(candidate: Candidate, *, cost=logistic_cost, dev=DEV, epochs=6, **options):
    start, optimizer, penalty, seed, *_ = candidate
    options = {"penalty": penalty, "seed": seed} | options
    return fit(start, optimizer, cost, TRAIN, dev, epochs=epochs, **options)


def assert_close(one, other, rtol=1e-9, atol=1e-12) -> None:
    """Check that two trees have the same arrays up to rounding."""
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def assert_as(one, other) -> None:
    """Check that two candidates have the same network and history, up to rounding."""
    assert_close(one.network, other.network)
    lines = [[list(line.values()) for line in each.history.lines()] for each in (one, other)]
    for a, b in zip(*lines, strict=True):
        np.testing.assert_allclose(
            np.delete(a, 3), np.delete(b, 3), rtol=1e-9
        )  # except the seconds
    ends = [(each.history.stopped, each.history.best_epoch) for each in (one, other)]
    assert ends[0] == ends[1]
