"""Runs whose trouble is known, because it was put there: what a diagnosis is measured on.

The examples come from two worlds whose least error is known (`known_distributions.py`).

A trouble is put in as it happens to people: too small a network, few examples, training data from
elsewhere, a column that knows the answer, flipped labels, units that start dead, a bad rate. Sizes
and strengths are drawn anew for each run, shapes are few, so that little is compiled.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.labels import Labels
from chainrule.layers.dense import Dense
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import Data, prepare_network, preprocess_sets
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import Run
from tests.validation.known_distributions import (
    MANY,
    N_X,
    Parts,
    World,
    any_world,
    clusters,
    parts_of,
    waves,
)

WIDE = 40
"""Columns where most are noise."""
SURELY = 0.12
"""A gap that 160 and 400 examples are enough to show."""
CLEARLY = 0.05
"""By so much one gap is larger than another, for as many to show."""


@dataclass(frozen=True)
class MadeRun:
    """A trained run, its data, the least error there can be, and what is wrong with it."""

    truth: str
    how: str
    run: Run
    data: Data
    reference: float


def trained(
    truth: str,
    how: str,
    parts: Parts,
    reference: float,
    start: Callable[[Any], Any] = lambda network: network,
    chosen_on: str | None = "dev",
    **options: Any,
) -> MadeRun:
    """Train on these parts; `start` may change the network before its first step.

    The best epoch is chosen on a part; None takes the last one.
    """
    sources = {
        name: Dataset(name, X.astype(np.float32), y, digest=f"{truth} {how} {name}")
        for name, (X, y) in parts.items()
    }
    labels = Labels.learn(parts["train"][1])
    data = preprocess_sets(sources, labels, "standard")
    recipe = Recipe.from_dict({"source": "made", "hidden": (32, 16), "batch_size": 64, **options})
    prepared = prepare_network(recipe, data)
    seen = {"train": data.parts["train"]}
    seen |= {"dev": data.parts[chosen_on]} if chosen_on else {}
    run = train_prepared(replace(prepared, parts=seen, network=start(prepared.network)))
    return MadeRun(truth, how, run, data, reference)


def bias(rng: np.random.Generator) -> MadeRun:
    """A network that cannot, or did not have the time, or was not allowed to."""
    world = waves(rng)
    hows: list[tuple[str, dict[str, Any]]] = [
        ("too small", {"hidden": [(), (2,)][rng.integers(2)], "epochs": 60}),
        ("too short", {"epochs": int(rng.integers(1, 4)), "learning_rate": 0.0005}),
        ("over-regularised", {"l2": float(rng.uniform(60, 300)), "epochs": 60}),
    ]
    how, options = hows[rng.integers(3)]
    return trained("bias", how, parts_of(world), world.bayes, **options)


def variance(rng: np.random.Generator) -> MadeRun:
    """Few examples, many columns of noise, a large network that learns them by heart."""
    world = waves(rng, sharp=20.0) if rng.integers(2) else clusters(rng, apart=1.2)
    parts = parts_of(world, train=int(rng.choice([100, 160])))
    options = {"hidden": (64, 64), "epochs": 150, "chosen_on": None}
    return trained("variance", "few examples", parts, world.bayes, **options)


def both(rng: np.random.Generator) -> MadeRun:
    """A line cannot follow a corner, and 160 examples are few for so many columns.

    Both are there by what 20,000 more examples say: else it is drawn again.
    """
    while True:
        world = line_and_corner(rng)
        parts = parts_of(world, train=160)
        made = trained("both", "a line", parts, world.bayes, hidden=(), epochs=150)
        train, fresh = made.run.results["train"], made.run.evaluate(*world.draw(20_000))
        low, high = 1 - train["accuracy"], 1 - fresh["accuracy"]
        if low > SURELY and high - low > SURELY:
            return made


def line_and_corner(rng: np.random.Generator) -> World:
    """A line decides, but in the corners of two other columns the other way; the rest is noise."""
    w, corner = rng.standard_normal(2), rng.uniform(0.2, 0.3)

    def draw(m: int):
        X = rng.standard_normal((m, WIDE))
        return X, ((X[:, :2] @ w > 0) ^ (X[:, 2] * X[:, 3] > corner)).astype(int)

    return World(draw, 0.0)


def mismatch(rng: np.random.Generator) -> MadeRun:
    """Training data from elsewhere: brighter, noisier, or on another scale.

    The network is chosen on train-dev, so that it fits the world it is trained on. The mismatch is
    there, and the largest gap, by what 20,000 more examples of both worlds say: else it is drawn
    again.
    """
    while True:
        world, how = any_world(rng), ("shifted", "noisier", "rescaled")[rng.integers(3)]
        change = changed(how, rng)
        parts = parts_of(world)
        parts = {"train": parts["train"], "train-dev": world.draw(400), **parts}
        parts |= {name: (change(parts[name][0]), parts[name][1]) for name in ("dev", "test")}
        made = trained("mismatch", how, parts, world.bayes, chosen_on="train-dev", epochs=60)
        X, y = world.draw(20_000)
        errors = [made.reference, 1 - made.run.results["train"]["accuracy"]]
        errors += [1 - made.run.evaluate(rows, y)["accuracy"] for rows in (X, change(X))]
        low, high, gap = np.diff(errors)
        if gap > max(SURELY, low + CLEARLY, high + CLEARLY):
            return made


def changed(how: str, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """From one world to the other."""
    shift, noise, scale = rng.uniform(0.9, 1.5), rng.uniform(1.2, 2.0), rng.uniform(0.3, 0.45)
    return {
        "shifted": lambda X: X + shift,
        "noisier": lambda X: X + noise * rng.standard_normal(X.shape),
        "rescaled": lambda X: X * scale,
    }[how]


def leak(rng: np.random.Generator) -> MadeRun:
    """A column that knows the answer, or dev rows that were trained on, exactly or nearly."""
    world = any_world(rng)
    parts = parts_of(world)
    how = ("column", "repeated rows", "near rows")[rng.integers(3)]
    if how == "column":
        at, noise = rng.integers(N_X), rng.uniform(0, 0.1)
        for X, y in parts.values():
            X[:, at] = y + noise * rng.standard_normal(len(y))
        return trained("leak", how, parts, world.bayes, epochs=60)
    X_train, y_train = parts["train"]
    for name in ("dev", "test"):
        X, y = parts[name]
        share = rng.uniform(0.1, 0.6)
        at = np.flatnonzero(rng.random(len(X)) < share)
        source = rng.integers(len(X_train), size=len(at))
        noise = 0.0 if how == "repeated rows" else rng.uniform(0.002, 0.01)
        X[at] = X_train[source] + noise * rng.standard_normal((len(at), X.shape[1]))
        y[at] = y_train[source]
    return trained("leak", how, parts, world.bayes, hidden=(64, 64), epochs=60)


def wrong_labels(rng: np.random.Generator) -> MadeRun:
    """10 to 25 % of the labels are others, in the training part or everywhere."""
    world = any_world(rng)
    parts, share = parts_of(world), rng.uniform(0.10, 0.25)
    how = ("in training", "everywhere")[rng.integers(2)]
    classes = 1 + max(y.max() for _, y in parts.values())
    for name, (_, y) in parts.items():
        if name == "train" or how == "everywhere":
            at = rng.random(len(y)) < share
            y[at] = (y[at] + rng.integers(1, classes, at.sum())) % classes
    hidden = [(32, 16), (64, 64)][rng.integers(2)]
    return trained("wrong labels", how, parts, world.bayes, hidden=hidden, epochs=60)


def dead_units(rng: np.random.Generator) -> MadeRun:
    """Most units of a layer start so far below 0 that no example reaches them."""
    world = any_world(rng)
    share, l = rng.uniform(0.75, 1.0), int(rng.integers(1, 3))
    how = f"layer {l}"
    return trained(
        "dead units",
        how,
        parts_of(world),
        world.bayes,
        lambda n: killed(n, l, share, rng),
        hidden=(8, 8),
        epochs=60,
    )


def killed(network: Any, l: int, share: float, rng: np.random.Generator) -> Any:
    """The network with so many units of layer l at b = −30."""
    at = [i for i, part in enumerate(network.parts()) if isinstance(part, Dense)][l - 1]
    b = np.zeros((8, 1), np.float32)
    b[rng.permutation(8)[: round(8 * share)]] = -30
    return eqx.tree_at(lambda n: n.parts()[at].b, network, jnp.asarray(b))


def bad_rate(rng: np.random.Generator) -> MadeRun:
    """A learning rate some hundred times too high or too low."""
    world = any_world(rng)
    how = ("too high", "too low")[rng.integers(2)]
    rate = {"too high": 10 ** rng.uniform(-0.3, 0.7), "too low": 10 ** rng.uniform(-6, -5)}[how]
    return trained(
        "bad rate", how, parts_of(world), world.bayes, learning_rate=float(rate), epochs=40
    )


def sound(rng: np.random.Generator) -> MadeRun:
    """A line with doubtful examples beside it, and a network that can follow it and no more."""
    w, k = rng.standard_normal(N_X), rng.uniform(3, 8)

    def chances(m: int):
        X = rng.standard_normal((m, N_X))
        return X, 1 / (1 + np.exp(-k * X @ w / np.linalg.norm(w)))

    def draw(m: int):
        X, p = chances(m)
        return X, (rng.random(m) < p).astype(int)

    _, p = chances(MANY)
    bayes = float(np.minimum(p, 1 - p).mean())
    return trained(
        "sound", "", parts_of(World(draw, bayes)), bayes, hidden=(), epochs=100, learning_rate=0.02
    )


MAKERS: dict[str, Callable[[np.random.Generator], MadeRun]] = {
    "bias": bias,
    "variance": variance,
    "both": both,
    "mismatch": mismatch,
    "leak": leak,
    "wrong labels": wrong_labels,
    "dead units": dead_units,
    "bad rate": bad_rate,
    "sound": sound,
}


def made_runs(each: int, seed: int = 0) -> Iterator[MadeRun]:
    """So many of each kind, one after the other."""
    for kind, (_, maker) in enumerate(MAKERS.items()):
        for i in range(each):
            yield maker(np.random.default_rng([seed, kind, i]))
