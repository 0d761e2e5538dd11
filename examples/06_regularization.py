"""06: regularisation reduces the gap between the training set and the dev set.

Notes: "Regularization", "Why regularization reduces overfitting", "Dropout regularization" and the
exercise "Regularization" (course 2, week 1).
A field with two classes of points that mix near a curved boundary: 211 to train on, 2,000 for the
dev set. 2-50-20-1 with relu, gradient descent with learning rate 0.3 for 15,000 iterations: without
regularisation, with L2 (λ = 0.7), with dropout (keep_prob = 0.5), and with early stopping, which
uses 100 further points; then 2-20-20-1 with tanh and λ from 0.01 to 100.
Targets: each of the three reduces the gap to at most three quarters, improves the dev accuracy, and
shortens the boundary (medians of five seeds). As λ grows, J on the training set rises, and J on the
dev set is lowest at an intermediate value; W shrinks, more of Z lies where tanh is nearly linear,
and the part of Z that is not a plane falls below 0.01; with λ = 100 all weights are 0, and J is log
2.
"""

import math
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import jax
import numpy as np
from example import Example

from chainrule import DeepNetwork, Examples, fit, gradient_descent, trace
from chainrule.blocks.activations import sigmoid
from chainrule.blocks.costs import logistic_cost
from chainrule.inspection.example_plots import plot_boundaries, plot_curves
from chainrule.layers.layer import penalized_arrays
from chainrule.train.step import make_penalty

SIZES, TANH_SIZES, RATE = (2, 50, 20, 1), (2, 20, 20, 1), 0.3
M, M_WATCHED, M_DEV = 211, 100, 2000
ITERATIONS, QUICK_ITERATIONS = 15_000, 3_000
SEEDS, QUICK_SEEDS = range(5), range(1)
LAMBDAS, QUICK_LAMBDAS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100), (0.01, 0.3, 10, 100)
NARROWER, NEARLY_A_PLANE, LOG_2 = 3 / 4, 0.01, math.log(2)
LINEAR = 0.5  # |Z| below which tanh Z is Z to 8 %


class Way(NamedTuple):
    """One way not to memorise the noise."""

    l2: float = 0.0
    keep_prob: float | None = None
    patience: int | None = None


WAYS = {
    "nothing": Way(),
    "L2, λ = 0.7": Way(l2=0.7),
    "dropout, keep_prob = 0.5": Way(keep_prob=0.5),
    "early stopping": Way(patience=500),
}


class Found(NamedTuple):
    """The result of one training."""

    network: DeepNetwork
    train: float
    dev: float
    gap: float
    boundary: float


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    four_ways(example)
    over_lambda(example)
    example.finish()


def field(m: int, seed: int) -> Examples:
    """Return points X (m, 2); Y (m, 1) is mostly 1 above a wavy line, with noise near it."""
    random = np.random.default_rng(seed)
    X = random.uniform(-1, 1, (m, 2))
    above = X[:, 1] - 0.45 * np.sin(3 * X[:, 0]) + 0.25 * random.standard_normal(m) > 0
    return Examples(X.astype(np.float32), above[:, None].astype(np.float32))


def four_ways(example: Example) -> None:
    """Train the network of the exercise in each way."""
    example.part("2-50-20-1 with relu on the field")
    print("                            seed    train      dev      gap   length of the boundary")
    ways = dict(list(WAYS.items())[: 2 if example.quick else None])
    found = {name: [] for name in ways}
    for seed in QUICK_SEEDS if example.quick else SEEDS:
        train, dev = field(M, seed), field(M_DEV, 100 + seed)
        for name, way in ways.items():
            network = trained(way, train, seed, example.quick)
            right = accuracy(network, train), accuracy(network, dev)
            one = Found(network, *right, right[0] - right[1], boundary_length(network))
            found[name].append(one)
            print(
                f"{name:28s}{seed:4d}{one.train:9.4f}{one.dev:9.4f}{one.gap:9.4f}{one.boundary:9.1f}"
            )
    if not example.quick:
        compare(example, found)
    says = {name: probability(runs[0].network) for name, runs in found.items()}
    train = field(M, 0)
    title = "The same points, the same network"
    example.picture("field.png", plot_boundaries, says, train.X, train.Y[:, 0], title)


def trained(way: Way, train: Examples, seed: int, quick: bool) -> DeepNetwork:
    """Train once; early stopping has 100 points of its own, so that dev is unused in every way."""
    key = jax.random.key(seed)
    network = DeepNetwork(SIZES, initializer="lecun", keep_prob=way.keep_prob, key=key)
    return fit(
        network,
        gradient_descent(RATE),
        logistic_cost,
        train,
        field(M_WATCHED, 200 + seed) if way.patience else None,
        epochs=QUICK_ITERATIONS if quick else ITERATIONS,
        batch_size=M,
        patience=way.patience,
        penalty=make_penalty(way.l2, 0, M),
    ).network


def accuracy(network, part: Examples) -> float:
    """Return the fraction of examples on the right side of A = 0.5."""
    return float(np.mean((np.asarray(network(part.X.T)) > 0) == part.Y.T))


def cost(network, part: Examples) -> float:
    """Return J without a penalty."""
    return float(logistic_cost(network(part.X.T), part.Y.T))


def probability(network):
    """Return A for rows, as the plot needs it."""
    return lambda rows: sigmoid(network(rows.T))[0]


def boundary_length(network, n: int = 201) -> float:
    """Return the length of the line A = 0.5, along the edges of n × n squares."""
    x = np.linspace(-1, 1, n, dtype=np.float32)
    plane = np.stack(np.meshgrid(x, x), axis=0).reshape(2, -1)
    above = (np.asarray(network(plane)) > 0).reshape(n, n)
    crossed = (above[1:] != above[:-1]).sum() + (above[:, 1:] != above[:, :-1]).sum()
    return float(crossed * 2 / (n - 1))


def compare(example: Example, found: dict[str, list[Found]]) -> None:
    """Compare the medians with those of the network without regularisation."""
    middle = {
        name: Found(runs[0].network, *map(median, list(zip(*runs, strict=True))[1:]))
        for name, runs in found.items()
    }
    nothing = middle["nothing"]
    for name, one in middle.items():
        if name == "nothing":
            continue
        said = (
            f"{name}: gap {one.gap:.3f}, without {nothing.gap:.3f} (target three quarters at most)"
        )
        example.target(said, one.gap <= NARROWER * nothing.gap)
        said = f"{name}: {one.dev:.4f} on dev, without {nothing.dev:.4f} (target: more)"
        example.target(said, one.dev > nothing.dev)
        said = f"{name}: boundary {one.boundary:.1f}, without {nothing.boundary:.1f}"
        example.target(f"{said} (target: shorter)", one.boundary < nothing.boundary)


class AtLambda(NamedTuple):
    """The result for one λ: the costs, ‖W‖, and how linear the network is."""

    train: float
    dev: float
    norm: float
    linear: float
    bent: float


def over_lambda(example: Example) -> None:
    """Show the effect of λ on the costs, the weights and tanh."""
    example.part("2-20-20-1 with tanh: what λ does")
    train, dev = field(M, 0), field(M_DEV, 100)
    lambdas = QUICK_LAMBDAS if example.quick else LAMBDAS
    print("     λ   J on train   J on dev     ‖W‖   share of |Z| < 0.5   no plane")
    found = []
    for l2 in lambdas:
        network = DeepNetwork(TANH_SIZES, activation="tanh", key=jax.random.key(0))
        penalty = make_penalty(l2, 0, M)
        iterations = QUICK_ITERATIONS if example.quick else ITERATIONS
        rule = gradient_descent(RATE)
        network = fit(
            network, rule, logistic_cost, train, epochs=iterations, batch_size=M, penalty=penalty
        ).network
        found.append(at_lambda(network, train, dev))
        print("{:6g}{:13.4f}{:11.4f}{:8.3f}{:21.3f}{:11.5f}".format(l2, *found[-1]))
    lambda_targets(example, lambdas, found)
    columns = AtLambda(*zip(*found, strict=True))
    costs = {"train": (lambdas, columns.train), "dev": (lambdas, columns.dev)}
    lines = {
        "|Z| < 0.5": (lambdas, columns.linear),
        "Z[L] that is no plane": (lambdas, columns.bent),
    }
    for name, curves, title, ylabel in (
        ("lambda_costs.png", costs, "Too small a λ: variance; too large: bias", "cost J"),
        ("lambda_tanh.png", lines, "The larger λ, the more linear tanh", "share"),
    ):
        words = {"title": title, "xlabel": "λ", "ylabel": ylabel, "log": "x"}
        example.picture(name, lambda curves=curves, words=words: plot_curves({"": curves}, **words))


def at_lambda(network: DeepNetwork, train: Examples, dev: Examples) -> AtLambda:
    """Return the result for one λ, measured on the dev set."""
    norm = math.sqrt(sum(float((W**2).sum()) for W in penalized_arrays(network)))
    *hidden, _ = trace(network, dev.X.T, dev.Y.T, logistic_cost).layers
    Z = np.concatenate([np.asarray(step.forward["Z"]).ravel() for step in hidden])
    linear = float(np.mean(np.abs(Z) < LINEAR))
    return AtLambda(cost(network, train), cost(network, dev), norm, linear, bent(network, dev))


def bent(network: DeepNetwork, part: Examples) -> float:
    """Return the fraction of the variance of Z[L] that no plane a x1 + b x2 + c explains."""
    Z = np.asarray(network(part.X.T), np.float64)[0]
    if np.ptp(Z) < 1e-6:
        return math.nan
    terms = np.column_stack([part.X.astype(np.float64), np.ones(len(Z))])
    left = Z - terms @ np.linalg.lstsq(terms, Z, rcond=None)[0]
    return float((left**2).mean() / Z.var())


def lambda_targets(example: Example, lambdas: tuple, found: list[AtLambda]) -> None:
    """Check the targets, from high variance to high bias."""
    train, dev, norms, linear, bent = zip(*found, strict=True)
    best = dev.index(min(dev))
    said = f"J on dev is lowest at λ = {lambdas[best]:g} (target: neither the first nor the last)"
    example.target(said, 0 < best < len(lambdas) - 1)
    rising = all(one <= next for one, next in pairwise(train))
    example.target(f"J on train rises with λ, {train[0]:.3f} to {train[-1]:.3f}", rising)
    falling = all(one >= next for one, next in pairwise(norms))
    example.target(f"‖W‖ falls with λ, {norms[0]:.1f} to {norms[-1]:.1g}", falling)
    rising = all(one <= next for one, next in pairwise(linear))
    said = f"|Z| < {LINEAR} grows with λ from {linear[0]:.2f} to {linear[-1]:.2f} (target 0.95)"
    example.target(said, rising and linear[-1] >= 0.95)
    least = min(share for share in bent if not math.isnan(share))
    said = f"no plane: {bent[0]:.3f} falls to {least:.5f} (target below {NEARLY_A_PLANE})"
    example.target(said, bent[0] > 5 * least and least < NEARLY_A_PLANE)
    nothing = abs(train[-1] - LOG_2)
    example.target(f"λ = 100: J is {nothing:.0e} from log 2 (target 1e-3)", nothing <= 1e-3)


if __name__ == "__main__":
    main()
