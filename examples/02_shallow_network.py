"""02: a shallow network on moons and the flower.

Notes: "Planar data classification with one hidden layer", "Activation functions", "Why do you need
non-linear activation functions?" and "Random initialization" (course 1, week 3).
Points in the plane, in two classes that no line separates; gradient descent on the whole set.
Targets: units that start equal stay equal, and do no better than logistic regression; random ones
reach 0.95 on moons with tanh, relu and leaky_relu, while sigmoid is the slowest; three layers
without an activation are equivalent to one, to 1e-5; on the flower 4 tanh units reach 0.89 from
every seed, and 1 unit does not.
"""

import jax
import numpy as np
from example import Example

from chainrule import DeepNetwork, Examples, fit, gradient_descent
from chainrule.blocks.costs import logistic_cost
from chainrule.data.load import load
from chainrule.inspection.plots import decision_boundary, plot_costs
from chainrule.layers.layer import named_arrays
from chainrule.train.fit import Fit

RATE, UNITS = 1.2, 8
MOON_ITERATIONS, QUICK_MOON_ITERATIONS = 3000, 1000
FLOWER_ITERATIONS, QUICK_FLOWER_ITERATIONS = 10_000, 3000
SEEDS, QUICK_SEEDS = range(11), range(2)
WIDTHS, QUICK_WIDTHS = (1, 2, 3, 4, 5, 20, 50), (1,)
KINDS, QUICK_KINDS = ("sigmoid", "tanh", "relu", "leaky_relu"), ("sigmoid", "tanh")
ENOUGH = {"moons": 0.95, "flower": 0.89}


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    source = load("moons")
    X, Y = source.X.T.astype(np.float32), np.asarray(source.y, np.float32)[None]
    start_equal_or_random(example, X, Y)
    activations(example, X, Y)
    without_activation(example, X, Y)
    X, Y = flower()
    same_as_the_file(example, X, Y)
    seeds(example, X, Y)
    widths(example, X, Y)
    example.finish()


def flower() -> tuple[np.ndarray, np.ndarray]:
    """Return two classes of 200 points, X (2, 400) and Y (1, 400), on petals of radius 4 sin 4t."""
    random = np.random.RandomState(1)
    X, Y = [], []
    for j in (0, 1):
        t = np.linspace(3.12 * j, 3.12 * (j + 1), 200) + 0.2 * random.randn(200)
        r = 4 * np.sin(4 * t) + 0.2 * random.randn(200)
        X.append([r * np.sin(t), r * np.cos(t)])
        Y.append(np.full((1, 200), j))
    return np.hstack(X).astype(np.float32), np.hstack(Y).astype(np.float32)


def train(network: DeepNetwork, X, Y, iterations: int, rate: float = RATE) -> Fit:
    """Run gradient descent on all examples at once; `fit` takes one example per row."""
    return fit(
        network,
        gradient_descent(rate),
        logistic_cost,
        Examples(X.T, Y.T),
        epochs=iterations,
        batch_size=X.shape[1],
    )


def accuracy(network, X, Y) -> float:
    """Return the fraction of examples on the right side of Z = 0, where A = 0.5."""
    return float(np.mean((np.asarray(network(X)) > 0) == Y))


def random_network(*sizes: int, activation: str = "tanh", initializer=None, seed: int = 0):
    """Return a network with random initial weights."""
    key = jax.random.key(seed)
    return DeepNetwork(sizes, activation=activation, initializer=initializer, key=key)


def boundary(network, X, Y) -> bytes:
    """Plot the predictions of a network over the plane."""
    return decision_boundary(
        lambda rows: (np.asarray(network(rows.T.astype(np.float32)))[0] > 0).astype(int),
        X.T,
        Y[0].astype(int),
    )


def start_equal_or_random(example: Example, X, Y) -> None:
    """Compare zero, equal and random initial weights with logistic regression."""
    example.part(f"Moons: where {UNITS} tanh units start")
    iterations = QUICK_MOON_ITERATIONS if example.quick else MOON_ITERATIONS
    logistic = train(random_network(2, 1, initializer="zeros"), X, Y, iterations)
    line = accuracy(logistic.network, X, Y)
    print(f"logistic regression   accuracy {line:.4f}")
    equal = DeepNetwork.from_weights(
        [
            (np.full((UNITS, 2), 0.1, np.float32), np.zeros((UNITS, 1), np.float32)),
            (np.full((1, UNITS), 0.1, np.float32), np.zeros((1, 1), np.float32)),
        ],
        activation="tanh",
    )
    starts = {
        "zeros": random_network(2, UNITS, 1, initializer="zeros"),
        "all 0.1": equal,
        "0.01 × normal": random_network(2, UNITS, 1, initializer="small"),
        "xavier": random_network(2, UNITS, 1, initializer="xavier"),
    }
    found = {}
    for name, network in starts.items():
        trained = train(network, X, Y, iterations).network
        W1 = np.asarray(named_arrays(trained)["W1"])
        found[name] = accuracy(trained, X, Y), np.ptp(W1, axis=0).max()
        right, apart = found[name]
        print(f"{name:22s}accuracy {right:.4f}   the rows of W1 are {apart:.3g} apart")
    for name in ("zeros", "all 0.1"):
        right, apart = found[name]
        same = f"{name}: units {apart:.1g} apart (target at most 1e-6)"
        example.target(same, apart <= 1e-6)
        said = f"{name}: accuracy {right:.3f} (target at most logistic regression's {line:.3f})"
        example.target(said, right <= line)
    print(
        "0.01 × normal escapes too, only later: the more the units differ at the start, the sooner."
    )
    right, _ = found["xavier"]
    said = f"xavier: accuracy {right:.3f} (target at least {ENOUGH['moons']})"
    example.target(said, right >= ENOUGH["moons"])


def activations(example: Example, X, Y) -> None:
    """Train the same network with each of the four activations."""
    example.part(f"Moons: {UNITS} units of each kind, rate {RATE}")
    iterations = QUICK_MOON_ITERATIONS if example.quick else MOON_ITERATIONS
    after = [i for i in (1, 100, 1000, 3000) if i <= iterations]
    print("activation   cost after" + "".join(f"{i:9d}" for i in after)[7:] + "   accuracy")
    costs = {}
    for g in QUICK_KINDS if example.quick else KINDS:
        trained = train(random_network(2, UNITS, 1, activation=g), X, Y, iterations)
        costs[g] = trained.history.costs
        shown = "".join(f"{costs[g][i - 1]:9.4f}" for i in after)
        right = accuracy(trained.network, X, Y)
        print(f"{g:13s}   {shown}{right:11.4f}")
        if g != "sigmoid":
            said = f"{g}: accuracy {right:.3f} (target at least {ENOUGH['moons']})"
            example.target(said, right >= ENOUGH["moons"])
    slowest = max(costs, key=lambda g: costs[g][999])
    example.target(f"{slowest} is the slowest (target sigmoid)", slowest == "sigmoid")
    shown = {g: costs[g][:600] for g in costs}
    title = f"Moons: {UNITS} units of each kind"
    example.picture("activation_costs.png", plot_costs, shown, title, "cost J")


def without_activation(example: Example, X, Y) -> None:
    """Show that three linear layers are one: W[3] W[2] W[1] is a matrix."""
    example.part("Moons: three layers without an activation, 2-8-8-1")
    iterations = QUICK_MOON_ITERATIONS if example.quick else MOON_ITERATIONS
    start = random_network(2, 8, 8, 1, activation="identity")
    deep = train(start, X, Y, iterations, rate=0.2).network
    W, b = np.eye(2, dtype=np.float32), np.zeros((2, 1), np.float32)
    theta = list(named_arrays(deep).values())  # W1, b1, W2, b2, …
    for W_l, b_l in zip(theta[::2], theta[1::2], strict=True):
        W, b = W_l @ W, W_l @ b + b_l
    one = DeepNetwork.from_weights([(W, b)])
    Z, Z_one = np.asarray(deep(X)), np.asarray(one(X))
    apart = np.abs(Z - Z_one).max() / np.abs(Z).max()
    print(
        f"W[3] W[2] W[1] = {np.asarray(W).round(3).tolist()}, b = {np.asarray(b).round(3).tolist()}"
    )
    print(f"accuracy {accuracy(deep, X, Y):.4f} of the three, {accuracy(one, X, Y):.4f} of the one")
    said = f"three linear layers and their product: {apart:.1e} apart (target at most 1e-5)"
    example.target(said, apart <= 1e-5)


def same_as_the_file(example: Example, X, Y) -> None:
    """Compare the generated flower with the course's file, if it is available."""
    example.part("The flower")
    if example.has("toy2d/toy2d.npz"):
        with np.load(example.data / "toy2d/toy2d.npz") as arrays:
            apart = max(np.abs(arrays["flower_X"] - X).max(), np.abs(arrays["flower_Y"] - Y).max())
        example.target(
            f"flower made here: {apart:.0e} from the file's (target 1e-6)", apart <= 1e-6
        )


def seeds(example: Example, X, Y) -> None:
    """Train 4 tanh units from 0.01 × normal with learning rate 1.2, from several seeds."""
    iterations = QUICK_FLOWER_ITERATIONS if example.quick else FLOWER_ITERATIONS
    example.part(f"The flower: 4 tanh units, 0.01 × normal, {iterations:,} iterations")
    found = []
    for seed in QUICK_SEEDS if example.quick else SEEDS:
        network = random_network(2, 4, 1, initializer="small", seed=seed)
        trained = train(network, X, Y, iterations)
        found.append(accuracy(trained.network, X, Y))
        if seed == 0:
            example.picture("boundary.png", boundary, trained.network, X, Y)
        print(f"seed {seed:2d}   cost {trained.history.costs[-1]:.4f}   accuracy {found[-1]:.4f}")
    said = f"flower, the lowest of {len(found)} seeds: {min(found):.4f} (target at least 0.89)"
    example.target(said, min(found) >= ENOUGH["flower"])


def widths(example: Example, X, Y) -> None:
    """Train networks with 1 to 50 units."""
    iterations = (QUICK_FLOWER_ITERATIONS if example.quick else FLOWER_ITERATIONS) // 2
    example.part(f"The flower: how many tanh units, {iterations:,} iterations")
    for width in QUICK_WIDTHS if example.quick else WIDTHS:
        start = random_network(2, width, 1, initializer="small")
        network = train(start, X, Y, iterations).network
        right = accuracy(network, X, Y)
        print(f"{width:3d} units   {4 * width + 1:4d} parameters   accuracy {right:.4f}")
        if width == 1:
            said = f"flower, 1 unit: accuracy {right:.3f} (target below {ENOUGH['flower']})"
            example.target(said, right < ENOUGH["flower"])
        if width in (1, 20):
            example.picture(f"flower_{width}.png", boundary, network, X, Y)


if __name__ == "__main__":
    main()
