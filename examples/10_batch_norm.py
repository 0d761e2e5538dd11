"""10: with batch norm, a deep network trains from more initialisations and learning rates.

Notes: "Normalizing activations in a network", "Fitting batch norm into a neural network", "Why does
batch norm work?" and "Batch norm at test time" (course 2, week 3).
The 1,797 digits, six hidden layers of 50 relu units, ten epochs of gradient descent in batches of
64: three initialisations, eight learning rates, each without and with batch norm.
Targets: with batch norm at least three times as many reach 0.85 on the dev set, from each
initialisation over a factor of ten or more in the learning rate; without it none do from 0.01 ×
normal and 1 × normal. The means of layer 5 move at most a third as far while the layers before it
learn. After 200 identical batches prediction equals training to 1e-5, and already after the first.
"""

import jax
import numpy as np
from example import Example

from chainrule import DeepNetwork, Examples, fit, gradient_descent, trace
from chainrule.blocks.costs import softmax_cost
from chainrule.data.load import load
from chainrule.errors import NotFiniteError
from chainrule.inspection.example_plots import plot_curves
from chainrule.layers.initializers import he, small

SIZES, EPOCHS, BATCH = (64, *[50] * 6, 10), 10, 64
RATES, QUICK_RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10), (0.03, 0.3, 1)
TRAINED, MORE, RANGE = 0.85, 3, 10
WATCHED, SHIFT_RATE, SHIFT_EPOCHS, STILL = 5, 0.05, 20, 1 / 3
IDENTICAL, SAME = 200, 1e-5


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    train, dev = digits()
    rates_and_starts(example, train, dev)
    covariate_shift(example, train, dev)
    identical_batches(example, train)
    example.finish()


def normal_1(key, shape, dtype=np.float32):
    """Return 1 · normal, which is too large for fifty inputs."""
    return 100 * small(key, shape, dtype)


STARTS = {"0.01 × normal": small, "he": he, "1 × normal": normal_1}


def digits() -> tuple[Examples, Examples]:
    """Return the built-in digits, pixels from 0 to 1, shuffled: 1,437 for training, 360 for dev."""
    source = load("digits")
    order = np.random.default_rng(0).permutation(len(source.X))
    X = (np.asarray(source.X)[order] / 16).astype(np.float32)
    Y = np.eye(10, dtype=np.float32)[np.asarray(source.y)[order]]
    return Examples(X[:1437], Y[:1437]), Examples(X[1437:], Y[1437:])


def network(start=he, *, batch_norm: bool) -> DeepNetwork:
    """Return the initial network."""
    return DeepNetwork(SIZES, initializer=start, batch_norm=batch_norm, key=jax.random.key(0))


def accuracy(network: DeepNetwork, part: Examples) -> float:
    """Return the fraction of examples whose largest Z[L] is that of their class."""
    return float(np.mean(np.asarray(network(part.X.T)).argmax(axis=0) == part.Y.argmax(axis=1)))


def rates_and_starts(example: Example, train: Examples, dev: Examples) -> None:
    """Print the dev accuracy by initialisation and learning rate, with and without batch norm."""
    rates = QUICK_RATES if example.quick else RATES
    example.part("Accuracy on dev after ten epochs, by learning rate")
    print(" " * 29 + "".join(f"{rate:>8g}" for rate in rates))
    found = {}
    for name, start in STARTS.items():
        for batch_norm in (False, True):
            row = [trained(start, rate, train, dev, batch_norm) for rate in rates]
            found[name, batch_norm] = row
            label = f"{name}, {'batch norm' if batch_norm else 'without'}"
            shown = [f"{right:8.2f}" if np.isfinite(right) else "     nan" for right in row]
            print(f"{label:29s}{''.join(shown)}")
    table_targets(example, rates, found)
    panels = {
        heading: {name: (rates, found[name, batch_norm]) for name in STARTS}
        for heading, batch_norm in (("without", False), ("with batch norm", True))
    }
    words = {"title": "Six hidden layers, ten epochs", "ylabel": "accuracy on dev"}
    words |= {"xlabel": "learning rate α", "log": "x"}
    example.picture("batch_norm_rates.png", lambda: plot_curves(panels, **words))


def trained(start, rate: float, train: Examples, dev: Examples, batch_norm: bool) -> float:
    """Return the dev accuracy, or NaN if the training diverged."""
    rule, how = gradient_descent(rate), {"epochs": EPOCHS, "batch_size": BATCH}
    try:
        done = fit(network(start, batch_norm=batch_norm), rule, softmax_cost, train, **how)
    except NotFiniteError:
        return float("nan")
    return accuracy(done.network, dev)


def table_targets(example: Example, rates: tuple, found: dict) -> None:
    """Check how many reach 0.9, from which initialisation and at which learning rates."""
    there = {place: np.array(row) >= TRAINED for place, row in found.items()}
    without, with_it = (sum(there[name, b].sum() for name in STARTS) for b in (False, True))
    said = f"{with_it} reach {TRAINED} with batch norm, {without} without"
    example.target(f"{said} (target {MORE} times as many)", with_it >= MORE * max(without, 1))
    for name in STARTS:
        reached = np.array(rates)[there[name, True]]
        span = reached.max() / reached.min() if len(reached) else 0
        said = (
            f"batch norm, {name}: from {min(reached, default=0):g} to {max(reached, default=0):g}"
        )
        if not example.quick:
            example.target(f"{said} (target a factor of {RANGE})", span >= RANGE)
        if name != "he":
            n = int(there[name, False].sum())
            example.target(f"without, {name}: {n} (target 0)", n == 0)


def covariate_shift(example: Example, train: Examples, dev: Examples) -> None:
    """Measure the inputs of layer 5 while the layers before it change."""
    example.part(f"Z of layer {WATCHED} on dev while the network trains, rate {SHIFT_RATE}")
    curves, moved = {}, {}
    for name, batch_norm in (("without", False), ("with batch norm", True)):
        mean, variance = watched(network(batch_norm=batch_norm), train, dev)
        deviation = np.sqrt(variance[0])
        moved[name] = np.median(np.abs(mean - mean[0]).max(axis=0) / deviation)
        wider = np.median(np.abs(np.log(variance / variance[0])).max(axis=0))
        epochs = range(1, SHIFT_EPOCHS + 1)
        curves[name] = {f"unit {i + 1}": (epochs, mean[:, i] / deviation[i]) for i in range(5)}
        said = f"the means move by {moved[name]:.2f} deviations, the variances by a factor of"
        print(f"{name:16s} {said} {np.exp(wider):.2f} (medians)")
    plain, normalised = moved.values()
    said = (
        f"the means move {normalised:.2f} standard deviations with batch norm, {plain:.2f} without"
    )
    example.target(f"{said} (target a third)", normalised <= STILL * plain)
    words = {"title": f"The mean of Z of layer {WATCHED}, first five units", "xlabel": "epoch"}
    words |= {"ylabel": "mean / its first deviation"}
    example.picture("batch_norm_shift.png", lambda: plot_curves(curves, **words))


def watched(network: DeepNetwork, train: Examples, dev: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance (epochs, units) of layer 5's Z, or Z tilde, after each epoch."""
    means, variances = [], []
    for epoch in range(SHIFT_EPOCHS):
        rule, how = gradient_descent(SHIFT_RATE), {"epochs": 1, "batch_size": BATCH, "seed": epoch}
        network = fit(network, rule, softmax_cost, train, **how).network
        steps = trace(network, dev.X.T, dev.Y.T, softmax_cost).layers
        *_, forward = (step.forward for step in steps if step.number == WATCHED)
        Z = np.asarray(forward.get("Z_tilde", forward.get("Z")))
        means.append(Z.mean(axis=1))
        variances.append(Z.var(axis=1))
    return np.array(means), np.array(variances)


def identical_batches(example: Example, train: Examples) -> None:
    """Check the running averages from the first batch on."""
    example.part("The same batch again and again, nothing learned: prediction and training")
    X, one = train.X[:BATCH].T, network(batch_norm=True)
    step = jax.jit(lambda network, key: network.train(X, key=key))
    for t in range(1, IDENTICAL + 1):
        A, one = step(one, jax.random.key(t))
        if t in (1, IDENTICAL):
            apart = float(np.abs(np.asarray(one(X)) - np.asarray(A)).max())
            said = f"Z[L] of prediction and of training after {t}: {apart:.0e} apart"
            example.target(f"{said} (target {SAME:.0e})", apart <= SAME)


if __name__ == "__main__":
    main()
