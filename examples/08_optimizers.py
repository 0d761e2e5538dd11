"""08: optimisation: normalised inputs, momentum, RMSprop, Adam, mini-batches, decay.

Notes: "Normalizing inputs" (course 2, week 1); "Understanding mini-batch gradient descent",
"Gradient descent with momentum", "RMSprop", "Adam optimization algorithm", "Learning rate decay"
and the exercise "Optimization" (course 2, week 2).
Linear regression with two weights, whose cost is a bowl that can be drawn; then the moons.
Targets: elongated contours take ten times the steps that normalised inputs take; the larger β, the
smoother the path; momentum, RMSprop and Adam need half the steps of gradient descent; batches of 1
make the most progress in an epoch, never settle, and take twice the time of batches of 64; a decay
ends four times nearer to the minimum; on the moons Adam needs a fifth of gradient descent's epochs,
each at its best learning rate.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import pairwise, repeat
from statistics import median

import jax
import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule import DeepNetwork, Examples, adam, fit, gradient_descent
from chainrule.blocks.costs import logistic_cost, squared_cost
from chainrule.data.batches import random_mini_batches, steps_per_epoch
from chainrule.data.load import load
from chainrule.data.scaling import Normalizer
from chainrule.inspection.example_plots import Paths, plot_curves, plot_paths
from chainrule.optim.momentum import momentum
from chainrule.optim.optimizer import Optimizer, apply_updates
from chainrule.optim.rmsprop import rmsprop
from chainrule.optim.schedules import exponential_decay, inverse_time_decay, square_root_decay

M, RATIO, NOISE = 256, 6, 0.5
START = np.array([-2.0, 1.5], np.float32)
NEAR = 1e-3  # of the cost above the minimum at the start
MOST_STEPS, EPOCHS, DECAY_SEEDS = 300, 20, range(5)
BETAS = (0, 0.5, 0.9, 0.98)
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MOON_EPOCHS, TOY = 1000, "toy2d/toy2d.npz"


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    X, Y = two_inputs()
    normalised = Normalizer.learn("standard", X).apply(X)
    contours(example, X, normalised, Y)
    larger_beta(example, X, Y)
    four_ways(example, X, Y)
    batch_sizes(example, normalised, Y)
    decay(example, normalised, Y)
    moons(example)
    example.finish()


def two_inputs() -> tuple[np.ndarray, np.ndarray]:
    """Return rows X (m, 2), the second input six times as wide as the first, and noisy Y (1, m)."""
    random = np.random.default_rng(0)
    X = random.standard_normal((M, 2)) * [1, RATIO]
    Y = X @ [2, 2 / RATIO] + NOISE * random.standard_normal(M)
    return X.astype(np.float32), Y[None].astype(np.float32)


def cost(w, X, Y):
    """Return J(w1, w2) of Z = w1 x1 + w2 x2; X is (2, m)."""
    return squared_cost(w[None] @ X, Y)


@partial(jax.jit, static_argnames="update")
def step(w, state, X, Y, update):
    """Return a compiled step of any optimiser."""
    updates, state = update(jax.grad(cost)(w, X, Y), state, w)
    return apply_updates(w, updates), state


def walk(optimizer: Optimizer, batches: Iterable, start=START) -> np.ndarray:
    """Return w at the start and after each batch, (steps + 1, 2)."""
    w, state, places = jnp.asarray(start), optimizer.init(start), [start]
    for X, Y in batches:
        w, state = step(w, state, X, Y, optimizer.update)
        places.append(np.asarray(w))
    return np.array(places)


def mini(X, Y, size: int, epochs: int, seed: int = 0) -> Iterator:
    """Return the notes' mini-batches, in a new order for each epoch."""
    for epoch in range(epochs):
        for rows in random_mini_batches(len(X), size, seed=seed, epoch=epoch):
            yield X[rows].T, Y[:, rows]


def above_minimum(places: np.ndarray, X, Y) -> np.ndarray:
    """Return J − J* for each w: the mean square of (w − w*) x."""
    lowest = np.linalg.lstsq(X, Y[0], rcond=None)[0]
    with np.errstate(all="ignore"):  # a walk that diverges ends at infinity
        return np.square((places - lowest) @ X.T).mean(axis=1)


def steps_needed(places: np.ndarray, X, Y) -> int | None:
    """Return the steps until a thousandth of J − J* is left, or None."""
    above = above_minimum(places, X, Y)
    near = np.flatnonzero(above <= NEAR * above[0])
    return int(near[0]) if len(near) else None


def drawn(X, Y):
    """Return J(w1, w2) as the plot needs it."""
    return lambda w1, w2: cost(jnp.stack([w1, w2]), X.T, Y)


def contours(example: Example, X, normalised, Y) -> None:
    """Compare elongated contours, where no step suits both directions, with circular ones."""
    example.part("Gradient descent, inputs as they are and normalised")
    panels, needed = {}, []
    for name, inputs in (("x2 six times x1", X), ("normalised", normalised)):
        steep, flat = np.linalg.eigvalsh(2 * inputs.T @ inputs / M)[::-1]
        rate = 2 / (steep + flat)  # the best there is for gradient descent
        places = walk(gradient_descent(rate), repeat((inputs.T, Y), MOST_STEPS))
        needed.append(steps_needed(places, inputs, Y))
        found = f"steepest to flattest {steep / flat:5.1f}, α {rate:.3f}, {needed[-1]} steps"
        print(f"{name:16s} {found}")
        panels[name] = Paths(drawn(inputs, Y), {"": places[:60]})
    raw, scaled = needed
    said = f"{raw} steps, {scaled} with normalised inputs (target at least ten times as many)"
    example.target(said, raw >= 10 * scaled)
    title = "The same data: gradient descent zigzags in an elongated valley"
    example.picture("contours.png", plot_paths, panels, title)


def larger_beta(example: Example, X, Y) -> None:
    """Show that averages of gradients change direction less than the gradients."""
    example.part("Momentum on mini-batches of 8, α = 0.01: the larger β, the smoother")
    bowl = drawn(X, Y)
    turns, panels = [], {}
    for beta in BETAS:
        places = walk(momentum(0.01, beta), mini(X, Y, 8, 8))
        panels[f"β = {beta:g}"] = Paths(bowl, {"": places[:120]})
        turns.append(mean_turn(places))
        print(f"β = {beta:<5g} from step to step the way turns by {turns[-1]:5.1f}° on average")
    smoother = all(one > 1.5 * after for one, after in pairwise(turns))
    words = ", ".join(f"{turn:.0f}°" for turn in turns)
    example.target(f"turns {words} (target: each at most two thirds of the one before)", smoother)
    title = "Momentum: the larger β, the smoother the path"
    example.picture("momentum.png", plot_paths, panels, title)


def mean_turn(places: np.ndarray) -> float:
    """Return the mean angle between a step and the next, in degrees."""
    steps = np.diff(places, axis=0)
    unit = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    return float(np.degrees(np.arccos(np.clip((unit[1:] * unit[:-1]).sum(axis=1), -1, 1))).mean())


def four_ways(example: Example, X, Y) -> None:
    """Compare the optimisers, each at the best of the same learning rates."""
    example.part("The elongated valley: steps until a thousandth of J − J* is left, by α")
    rules = {
        "gradient descent": gradient_descent,
        "momentum, β = 0.9": momentum,
        "RMSprop": rmsprop,
        "Adam": adam,
    }
    print(" " * 18 + "".join(f"{rate:8g}" for rate in RATES))
    bowl = drawn(X, Y)
    best, panels = {}, {}
    for name, rule in rules.items():
        places = [walk(rule(rate), repeat((X.T, Y), MOST_STEPS)) for rate in RATES]
        needed = [steps_needed(one, X, Y) for one in places]
        print(f"{name:18s}" + "".join(f"{steps or 'never':>8}" for steps in needed))
        best[name], i = min((steps, i) for i, steps in enumerate(needed) if steps)
        panels[f"{name}, α = {RATES[i]:g}"] = Paths(bowl, {"": places[i][: best[name] + 1]})
    plain = best["gradient descent"]
    for name, steps in list(best.items())[1:]:
        said = f"{name}: {steps} steps, gradient descent {plain} (target half of them)"
        example.target(said, steps <= plain / 2)
    title = "Four optimisers in an elongated valley, each at its best rate"
    example.picture("four_ways.png", plot_paths, panels, title)


def batch_sizes(example: Example, X, Y) -> None:
    """Compare batches of 1, 16 and the whole set: noise against steps per epoch."""
    example.part(f"Mini-batch sizes, normalised inputs, α = 0.05, {EPOCHS} epochs: J − J*")
    print("size   after an epoch   in the last five epochs")
    bowl = drawn(X, Y)
    panels, first, last = {}, {}, {}
    for size in (1, 16, M):
        places = walk(gradient_descent(0.05), mini(X, Y, size, EPOCHS))
        steps = steps_per_epoch(M, size)
        above = above_minimum(places, X, Y)
        first[size], last[size] = above[steps], above[-5 * steps :].mean()
        print(f"{size:4d}{first[size]:17.4f}{last[size]:26.5f}")
        panels[f"batches of {size}"] = Paths(bowl, {"": places})
    said = f"after an epoch: {first[1]:.2f}, {first[16]:.2f}, {first[M]:.1f}"
    example.target(f"{said} (target: rising with size)", first[1] < first[16] < first[M])
    said = f"single examples stay {last[1]:.3f} above the minimum, batches of 16 {last[16]:.5f}"
    example.target(f"{said} (target at least 5 times)", last[1] >= 5 * last[16])
    if not example.quick:
        seconds_an_epoch(example)
    title = "Single examples never settle; the whole set goes straight, one step per epoch"
    example.picture("batch_sizes.png", plot_paths, panels, title)


def seconds_an_epoch(example: Example) -> None:
    """Return the seconds per epoch; batches of 1 lose the benefit of vectorisation."""
    train = moon_examples()
    seconds = {}
    for size in (1, 64):
        network = DeepNetwork((2, 20, 20, 1), key=jax.random.key(0))
        how = {"epochs": 200, "batch_size": size}
        epochs = fit(network, gradient_descent(0.01), logistic_cost, train, **how).history.epochs
        seconds[size] = epochs[199].seconds - epochs[99].seconds
    ratio = seconds[1] / seconds[64]
    said = f"an epoch of the moons by single examples takes {ratio:.0f} times that by 64"
    example.target(f"{said} (target at least 2)", ratio >= 2)


def decay(example: Example, X, Y) -> None:
    """Compare a constant learning rate, which fluctuates around the minimum, with decaying ones."""
    example.part(f"Learning-rate decay, batches of 16, α0 = 0.1, {EPOCHS} epochs")
    steps = steps_per_epoch(M, 16)
    schedules = {
        "constant": 0.1,
        "α0 / (1 + epoch)": inverse_time_decay(0.1, 1.0, steps),
        "0.8^epoch α0": exponential_decay(0.1, 0.8, steps),
        "α0 / √epoch": square_root_decay(0.1, 1.0, steps),
    }
    curves, left = {}, {}
    for name, schedule in schedules.items():
        rule = gradient_descent(schedule)
        runs = [walk(rule, mini(X, Y, 16, EPOCHS, seed)) for seed in DECAY_SEEDS]
        above = [above_minimum(run, X, Y)[1:].reshape(EPOCHS, steps).mean(axis=1) for run in runs]
        curves[name] = (range(1, EPOCHS + 1), np.median(above, axis=0))
        left[name] = float(curves[name][1][-1])
        print(f"{name:18s} J − J* in the last epoch {left[name]:.1e} (median of five orders)")
    for name, above in list(left.items())[1:]:
        said = f"{name}: {left['constant'] / above:.0f} times nearer (target at least 4)"
        example.target(said, above <= left["constant"] / 4)
    words = {"title": "Decay ends nearer to the minimum", "xlabel": "epoch", "ylabel": "J − J*"}
    example.picture("decay.png", lambda: plot_curves({"": curves}, log="y", **words))


def moon_examples() -> Examples:
    """Return the built-in data set moons."""
    source = load("moons")
    return Examples(source.X.astype(np.float32), np.asarray(source.y, np.float32)[:, None])


def moons(example: Example) -> None:
    """Compare on a cost that is not convex: 2-20-20-1, the whole set at each step, three seeds."""
    example.part(f"The moons: {MOON_EPOCHS:,} epochs of gradient descent, and Adam")
    race(example, "moons", moon_examples())
    if example.has(TOY):
        with np.load(example.data / TOY) as file:
            race(example, "toy2d's moons", Examples(file["moons_X"].T, file["moons_Y"].T))


def race(example: Example, name: str, train: Examples) -> None:
    """Find when Adam reaches the final cost of gradient descent at its best rate."""
    plain = {a: moon_costs(gradient_descent(a), train) for a in (0.1, 0.3, 1.0)}
    quick = {a: moon_costs(adam(a), train) for a in (0.01, 0.03)}
    best = min(plain, key=lambda a: median(costs[-1] for costs in plain[a]))
    goals = [costs[-1] for costs in plain[best]]
    needed = {a: median(map(epochs_to, runs, goals)) for a, runs in quick.items()}
    fastest = min(needed, key=lambda a: needed[a])
    print(f"{name}: gradient descent comes to {median(goals):.4f}, at its best rate {best:g}")
    said = f"{name}: Adam at {fastest:g} needs {needed[fastest]} epochs"
    reached = needed[fastest] <= MOON_EPOCHS / 5
    example.target(f"{said} (target {MOON_EPOCHS // 5} at most; medians of three)", reached)
    shown = range(1, MOON_EPOCHS + 1)
    curves = {f"gradient descent, α = {a:g}": (shown, runs[0]) for a, runs in plain.items()}
    curves |= {f"Adam, α = {a:g}": (shown, runs[0]) for a, runs in quick.items()}
    words = {"title": f"{name}, the whole set at each step", "xlabel": "epoch", "ylabel": "cost J"}
    file = f"{name.split()[-1]}_{len(train.X)}.png"
    example.picture(file, lambda: plot_curves({"": curves}, log="xy", **words))


def moon_costs(rule: Optimizer, train: Examples) -> list[list[float]]:
    """Return the costs of three seeds."""
    found = []
    for seed in range(3):
        network = DeepNetwork((2, 20, 20, 1), key=jax.random.key(seed))
        how = {"epochs": MOON_EPOCHS, "batch_size": len(train.X)}
        found.append(fit(network, rule, logistic_cost, train, **how).history.costs)
    return found


def epochs_to(costs: list[float], goal: float) -> float:
    """Return the first epoch whose cost is at most the goal, or infinity."""
    there = np.flatnonzero(np.array(costs) <= goal)
    return int(there[0]) + 1 if len(there) else np.inf


if __name__ == "__main__":
    main()
