"""05: initial weights, and the size of the signal on its way through many layers.

Notes: "Vanishing/exploding gradients", "Weight initialization for deep networks" and the exercise
"Initialization" (course 2, week 1).
Circles, 2-10-5-1 with relu, gradient descent with learning rate 0.01 for 15,000 iterations, from
five initialisations; then 20 linear layers with W = 1.5 I and 0.5 I, and 30 layers of 100 units
from four initialisations.
Targets: zeros stay at log 2, with equal units; 0.01 × normal stays there too; 10 × normal begins at
ten times he's cost and ends with a higher cost than he; he reaches 0.98 on the training set and
0.92 on the test set (medians of five seeds). A and dA of the linear layers are 1.5^(L−1) and
0.5^(L−1) to 1e-5. Through 30 layers, he with relu and xavier with tanh keep both within a factor of
10, while 0.01 × and 1 × normal lose or gain a factor of a million.
"""

import math
from statistics import median

import jax
import numpy as np
from example import Example
from sklearn.datasets import make_circles

from chainrule import DeepNetwork, Examples, fit, gradient_descent, trace
from chainrule.blocks.activations import sigmoid
from chainrule.blocks.costs import logistic_cost
from chainrule.inspection.example_plots import plot_boundaries, plot_curves
from chainrule.layers.initializers import he, small, xavier, zeros
from chainrule.layers.layer import named_arrays

SIZES, RATE, LOG_2 = (2, 10, 5, 1), 0.01, math.log(2)
ITERATIONS, QUICK_ITERATIONS = 15_000, 3_000
SEEDS, QUICK_SEEDS = range(5), range(1)
L_LINEAR, L_DEEP, UNITS = 20, 30, 100
LEVEL, LOST = 1, 6  # powers of ten
TOY = "toy2d/toy2d.npz"


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    circles(example)
    linear_layers(example)
    deep_layers(example)
    example.finish()


def normal_10(key, shape, dtype=np.float32):
    """Return 10 · normal, which is far too large."""
    return 1000 * small(key, shape, dtype)


def normal_1(key, shape, dtype=np.float32):
    """Return 1 · normal, which is too large for a hundred inputs."""
    return 100 * small(key, shape, dtype)


def points(m: int, seed: int) -> Examples:
    """Return a circle inside a circle, as in the exercise: rows X (m, 2), Y (m, 1)."""
    X, y = make_circles(m, noise=0.05, random_state=seed)
    return Examples(X.astype(np.float32), y[:, None].astype(np.float32))


def circles(example: Example) -> None:
    """Train the network of the exercise from each initialisation."""
    example.part("Circles, 2-10-5-1 with relu, gradient descent at 0.01")
    train, test = points(300, 1), points(100, 2)
    same_as_the_file(example, train)
    iterations = QUICK_ITERATIONS if example.quick else ITERATIONS
    starts = {
        "zeros": zeros,
        "10 × normal": normal_10,
        "0.01 × normal": small,
        "xavier": xavier,
        "he": he,
    }
    costs, says, found = {}, {}, {}
    print("start          seed   first cost   last cost    train     test   rows of W1 apart")
    for name, start in starts.items():
        found[name] = []
        for seed in QUICK_SEEDS if example.quick or start is zeros else SEEDS:
            trained = descend(start, train, iterations, seed)
            found[name].append((trained, *measured(trained, train, test)))
            _, *numbers = found[name][-1]
            print(f"{name:14s}{seed:5d}{'{:13.4f}{:12.4f}{:9.4f}{:9.4f}{:19.3g}'.format(*numbers)}")
        runs = sorted(found[name], key=lambda run: run[2])
        trained = runs[len(runs) // 2][0]  # the median one
        shown = range(0, iterations, 100)
        costs[name] = shown, trained.history.costs[::100]
        says[name] = probability(trained.network)
    circle_targets(example, found)
    how = {"title": "Circles from five initialisations", "xlabel": "iteration", "ylabel": "cost J"}
    example.picture("start_costs.png", lambda: plot_curves({"": costs}, log="y", **how))
    title = f"Circles after {iterations:,} iterations from each initialisation"
    y = train.Y[:, 0]
    example.picture("start_boundaries.png", plot_boundaries, says, train.X, y, title)


def same_as_the_file(example: Example, train: Examples) -> None:
    """Compare our circles with the exercise's file, if it is available."""
    if example.has(TOY):
        with np.load(example.data / TOY) as file:
            apart = np.abs(file["circles_train_X"].T - train.X).max()
        example.target(f"our circles are {apart:.0e} from the file's (target 1e-6)", apart <= 1e-6)


def descend(start, train: Examples, iterations: int, seed: int):
    """Run gradient descent on the whole set."""
    network = DeepNetwork(SIZES, initializer=start, key=jax.random.key(seed))
    m = len(train.X)
    rule = gradient_descent(RATE)
    return fit(network, rule, logistic_cost, train, epochs=iterations, batch_size=m)


def measured(trained, train: Examples, test: Examples) -> tuple[float, ...]:
    """Return first and last cost, both accuracies, and how much the units of layer 1 differ."""
    costs, network = trained.history.costs, trained.network
    apart = np.ptp(np.asarray(named_arrays(network)["W1"]), axis=0).max()
    return costs[0], costs[-1], accuracy(network, train), accuracy(network, test), float(apart)


def accuracy(network, part: Examples) -> float:
    """Return the fraction of examples on the right side of A = 0.5."""
    return float(np.mean((np.asarray(network(part.X.T)) > 0) == part.Y.T))


def probability(network):
    """Return A for rows, as the plots need it."""
    return lambda rows: sigmoid(network(rows.T))[0]


def circle_targets(example: Example, found: dict[str, list[tuple]]) -> None:
    """Check what the exercise predicts for each initialisation."""
    first, last, train, test, apart = (
        {name: median(run[i] for run in runs) for name, runs in found.items()} for i in range(1, 6)
    )
    for name in ("zeros", "0.01 × normal"):
        stuck = abs(last[name] - LOG_2)
        example.target(f"{name}: ends {stuck:.0e} from log 2 (target 1e-3)", stuck <= 1e-3)
    example.target(f"zeros: units {apart['zeros']:g} apart (target 0)", apart["zeros"] == 0)
    ratio = first["10 × normal"] / first["he"]
    said = f"10 × normal: its first cost is {ratio:.0f} times he's (target at least 10)"
    example.target(said, ratio >= 10)
    if example.quick:
        return
    behind, ahead = last["10 × normal"], last["he"]
    said = f"10 × normal ends at {behind:.3f}, he at {ahead:.3f} (target: higher than he's)"
    example.target(said, behind > ahead)
    for part, value, least in (("train", train["he"], 0.98), ("test", test["he"], 0.92)):
        example.target(f"he: {value:.4f} on {part} (target at least {least})", value >= least)


def linear_layers(example: Example) -> None:
    """Check the notes' argument: with W[l] = w I and g(z) = z, A[L−1] = w^(L−1) X; likewise dA."""
    example.part(f"{L_LINEAR} linear layers with W = w I")
    X, Y = np.array([[1.0, -1.0, 0.5], [2.0, 0.5, -1.0]], np.float32), np.float32([[1, 0, 1]])
    forward, back = {}, {}
    for w in (1.5, 1.0, 0.5):
        hidden = [(w * np.eye(2, dtype=np.float32), np.zeros((2, 1), np.float32))]
        last = (np.ones((1, 2), np.float32), np.zeros((1, 1), np.float32))
        network = DeepNetwork.from_weights([*hidden * (L_LINEAR - 1), last], activation="identity")
        A, dA = sizes_on_the_way(network, X, Y)
        forward[f"W = {w:g} I"], back[f"W = {w:g} I"] = A / A[0], dA / dA[-1]
        grown, wanted = A[-1] / A[0], w ** (L_LINEAR - 1)
        print(f"w = {w:g}: A[{L_LINEAR - 1}] / X {grown:.6g}, dA[0] / dA[{L_LINEAR - 1}] ", end="")
        print(f"{dA[0] / dA[-1]:.6g}, w^(L−1) {wanted:.6g}")
        apart = max(abs(grown / wanted - 1), abs(dA[0] / dA[-1] / wanted - 1))
        said = f"w = {w:g}: forward and backward as w^(L−1), {apart:.0e} apart (target 1e-5)"
        example.target(said, apart <= 1e-5)
    title = f"{L_LINEAR} linear layers, W = w I"
    example.picture("exploding.png", lambda: picture_over_layers(forward, back, title))


def sizes_on_the_way(network: DeepNetwork, X, Y) -> tuple[np.ndarray, np.ndarray]:
    """Return the root mean square of A[l] and of dA[l], l = 0 … L − 1."""
    steps = trace(network, X, Y, logistic_cost).layers
    A, dA = [step.A_prev for step in steps], [step.backward["dA_prev"] for step in steps]
    return root_mean_square(A), root_mean_square(dA)


def root_mean_square(arrays) -> np.ndarray:
    """Return the root mean square of each array, in float64, since squares may overflow float32."""
    return np.array([np.sqrt(np.mean(np.asarray(array, np.float64) ** 2)) for array in arrays])


def picture_over_layers(forward: dict, back: dict, title: str, first: int = 0) -> bytes:
    """Plot A[l] / A[first] on the left and dA[l] / dA[L−1] on the right, for l = first … L − 1."""
    panels = {
        heading: {name: (range(first, first + len(size)), size) for name, size in sizes.items()}
        for heading, sizes in ((f"A[l] / A[{first}]", forward), ("dA[l] / dA[L−1]", back))
    }
    return plot_curves(panels, title=title, xlabel="layer l", ylabel="size", log="y")


def deep_layers(example: Example) -> None:
    """Measure the signal in layers that could learn something."""
    example.part(f"{L_DEEP} layers of {UNITS} units")
    random = np.random.default_rng(0)
    X = random.standard_normal((UNITS, 200)).astype(np.float32)
    Y = random.integers(0, 2, (1, 200)).astype(np.float32)
    starts = {"0.01 × normal": small, "xavier": xavier, "he": he, "1 × normal": normal_1}
    sizes = (UNITS,) * L_DEEP + (1,)
    for g, right in (("relu", "he"), ("tanh", "xavier")):
        forward, back = {}, {}
        print(f"{g}              A[{L_DEEP - 1}] / A[1]   dA[1] / dA[{L_DEEP - 1}]     factor")
        for name, start in starts.items():
            network = DeepNetwork(sizes, activation=g, initializer=start, key=jax.random.key(0))
            A, dA = (size[1:] for size in sizes_on_the_way(network, X, Y))
            forward[name], back[name] = A / A[0], dA / dA[-1]
            spread = max(np.ptp(np.log10(A)), np.ptp(np.log10(dA)))
            print(f"  {name:14s}{A[-1] / A[0]:14.2g}{dA[0] / dA[-1]:17.2g}     10^{spread:.1f}")
            said = f"{g}, {name}: a factor of 10^{spread:.1f}"
            if name == right:
                example.target(f"{said} (target at most 10^{LEVEL})", spread <= LEVEL)
            elif "normal" in name:
                example.target(f"{said} (target at least 10^{LOST})", spread >= LOST)
        title = f"{L_DEEP} layers of {UNITS} {g} units"
        example.picture(f"signal_{g}.png", picture_over_layers, forward, back, title, 1)


if __name__ == "__main__":
    main()
