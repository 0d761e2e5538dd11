"""13: plain networks get worse with depth, residual networks do not.

Notes: "ResNets" and "Why ResNets work" (course 4, week 2).
Small images, 3×3 convolutions with eight channels, batch norm after each, Adam. A plain network of
20, 32 or 44 layers could do what one of 8 layers does, with layers that copy their input, but
gradient descent does not find this. The blocks of a residual network copy their input unless they
learn something better.
Targets, all on the training cost: for plain networks it rises with every depth, by a quarter or
more in all; for residual networks it rises by at most a tenth of this, and the deepest costs at
most three quarters of the plain one. Blocks with initial γ = 0 leave the output of a trained
residual network unchanged, to 1e-5; in a plain network they destroy it.
"""

from itertools import pairwise
from math import isqrt

import numpy as np
from example import Example

from chainrule import Examples, adam, fit
from chainrule.blocks.activations import identity as identity_function
from chainrule.blocks.costs import softmax_cost
from chainrule.data.load import load
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.example_plots import plot_curves
from chainrule.layers.flatten import Flatten
from chainrule.layers.layer import Layer
from chainrule.layers.pool import GlobalAveragePool, MaxPool
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.resnet import basic, residual
from chainrule.models.units import Units

CHANNELS, ALPHA, BATCH = 8, 0.01, 64
KINDS = ("plain", "residual")
WORSE, LEVEL, BETTER, SAME = 1.25, 0.1, 0.75, 1e-5
FASHION = [f"fashion_mnist/train-{kind}.gz" for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    digits = pictures("digits")
    quick, whole = ((8, 20), 5, (0,)), ((8, 20, 32, 44), 10, (0, 1, 2))
    trained = by_depth(example, "digits", digits, *(quick if example.quick else whole))
    identity(example, digits, trained)
    if example.has(*FASHION):
        fashion = pictures(str(example.data / FASHION[0]), 10_000)
        by_depth(example, "fashion", fashion, (8, 32), 4, (0,))
    example.finish()


def pictures(name: str, most: int | None = None) -> Examples:
    """Return the first images as rows from 0 to 1, with one-hot labels."""
    source = load(name)
    X = np.asarray(source.X)[:most]
    X = X.reshape(len(X), -1).astype(np.float32)
    return Examples(X / X.max(), np.eye(10, dtype=np.float32)[np.asarray(source.y)[:most]])


def network(kind: str, depth: int, side: int, seed: int) -> ConvNetwork:
    """Return a network: CONV, (depth − 2)/2 blocks of two layers each, average pooling, FC."""
    made = Units(key_from_seed(seed))
    layers = made.normalized(1, CHANNELS, 3, s=2)
    if side > 8:
        layers.append(MaxPool(2))
    for _ in range((depth - 2) // 2):
        layers += block(made, kind)
    layers += [GlobalAveragePool(), Flatten(), made.dense(CHANNELS, 10)]
    return ConvNetwork(layers, name=f"{kind}{depth}", shape=(side, side, 1), n_L=10)


def block(made: Units, kind: str, *, zero: bool = False) -> list[Layer]:
    """Return two layers, with or without a shortcut; with `zero` their last γ starts from 0."""
    if kind == "plain":
        return basic(made, CHANNELS, CHANNELS, 1, zero=zero)
    main = basic(made, CHANNELS, CHANNELS, 1, g=identity_function, zero=zero)
    return [residual(made, main, CHANNELS, CHANNELS, 1)]


def by_depth(
    example: Example, name: str, train: Examples, depths: tuple, epochs: int, seeds: tuple
) -> dict[str, ConvNetwork]:
    """Print the final cost by depth, the median over the seeds; return the shallowest networks."""
    m, n_x = train.X.shape
    side, shallowest = isqrt(n_x), {}
    example.part(f"{name}: J on {m:,} pictures in epoch {epochs}, median of {len(seeds)} start(s)")
    print("layers       " + "".join(f"{depth:>8}" for depth in depths))
    found, curves = {}, {kind: {} for kind in KINDS}
    for kind in KINDS:
        for depth in depths:
            costs = []
            for seed in seeds:
                how = {"epochs": epochs, "batch_size": BATCH, "seed": seed}
                start = network(kind, depth, side, seed)
                done = fit(start, adam(ALPHA), softmax_cost, train, **how)
                costs.append(done.history.costs)
                shallowest.setdefault(kind, done.network)
            found[kind, depth] = float(np.median(costs, axis=0)[-1])
            curves[kind][f"{depth} layers"] = (range(1, epochs + 1), np.median(costs, axis=0))
        print(f"{kind:13s}" + "".join(f"{found[kind, depth]:8.3f}" for depth in depths))
    targets(example, name, [[found[kind, depth] for depth in depths] for kind in KINDS])
    words = {"title": f"The cost that is trained, {name}", "xlabel": "epoch", "ylabel": "J"}
    example.picture(f"depth_{name}.png", lambda: plot_curves(curves, **words))
    return shallowest


def targets(example: Example, name: str, costs: list[list[float]]) -> None:
    """Check the effect of depth on the costs of plain and residual networks, shallowest first."""
    plain, residual = costs
    rises = all(a < b for a, b in pairwise(plain)) and plain[-1] >= WORSE * plain[0]
    said = f"{name}, plain: {', '.join(f'{J:.3f}' for J in plain)}"
    example.target(f"{said} (target: rises each time, {WORSE} times in all)", rises)
    said = f"{name}, residual: {', '.join(f'{J:.3f}' for J in residual)}"
    level = max(residual) - residual[0] <= LEVEL * (plain[-1] - plain[0])
    example.target(f"{said} (target: rises by at most {LEVEL} of that)", level)
    said = f"{name}, the deepest: {residual[-1]:.3f} residual, {plain[-1]:.3f} plain"
    better = residual[-1] <= BETTER * plain[-1]
    example.target(f"{said} (target {BETTER} of it)", better)


def identity(example: Example, digits: Examples, trained: dict[str, ConvNetwork]) -> None:
    """Insert six blocks with γ = 0 behind those of a trained network."""
    example.part(
        "Why: six blocks with initial γ = 0, inserted into the trained networks of 8 layers"
    )
    X = digits.X[:100].T
    for kind, before in trained.items():
        made = Units(key_from_seed(1))
        more = [layer for _ in range(6) for layer in block(made, kind, zero=True)]
        layers = before.layers.layers[1:]  # the first are the images
        deeper = ConvNetwork([*layers[:-3], *more, *layers[-3:]], name="", shape=(8, 8, 1), n_L=10)
        Z, Z_deeper = (np.asarray(one(X)) for one in (before, deeper))
        if kind == "residual":
            off = float(np.abs(Z - Z_deeper).max())
            example.target(f"residual: Z[L] off by {off:.0e} (target {SAME:.0e})", off <= SAME)
        else:
            left, was = (float(np.ptp(one, axis=1).max()) for one in (Z_deeper, Z))
            said = f"plain: Z[L] differs by {left:.0e} between images, before by {was:.0f}"
            example.target(f"{said} (target {SAME:.0e})", left <= SAME)


if __name__ == "__main__":
    main()
