"""09: hyperparameter search: at random, on the right scale, many at once, coarse to fine.

Notes: "Tuning process", "Using an appropriate scale to pick hyperparameters", "Hyperparameter
tuning in practice: pandas vs. caviar" (course 2, week 3).
The built-in digits, and a network of 32 hidden units. α of Adam matters, and its ε does not.
Targets: 25 random candidates try 25 learning rates where a grid tries 5, and find a better one
more often than not; on a linear scale nine tenths of the draws lie in one of five decades, and half
as many are good; candidates that are trained together end as those trained alone; the second
round, around the best of the first, is better than the first.
"""

import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from example import Example

from chainrule import DeepNetwork, adam, fit, tune
from chainrule.blocks.costs import softmax_cost
from chainrule.errors import DataWarning
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.example_plots import plot_curves
from chainrule.inspection.search_plots import search_pictures
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.search.dimensions import Log, Uniform
from chainrule.train.many import Candidate, fit_many

EPOCHS, QUICK_EPOCHS = 30, 10
ALPHA, EPSILON = Log(1e-5, 1), Log(1e-10, 1e-6)
PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of a grid of five, on either scale


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    warnings.filterwarnings("ignore", category=DataWarning)  # the corners of a digit are always 0
    parts = prepare(Recipe("digits", hidden=(32,))).parts
    grid_or_random(example, parts)
    scales(example, parts)
    at_once(example, parts)
    coarse_to_fine(example)
    example.finish()


def candidate(alpha: float, epsilon: float = 1e-8) -> Candidate:
    """Return a candidate; all have the same initial weights and differ only in the optimiser."""
    network = DeepNetwork((64, 32, 10), key=key_from_seed(0))
    return Candidate(network, adam(alpha, epsilon=epsilon))


def epochs(example: Example) -> int:
    """Return how long each candidate is trained."""
    return QUICK_EPOCHS if example.quick else EPOCHS


def dev_costs(example: Example, parts, candidates: list[Candidate]) -> np.ndarray:
    """Return the lowest dev cost of each candidate, trained in one program."""
    options = {"epochs": epochs(example), "batch_size": 128}
    done = fit_many(candidates, softmax_cost, parts["train"], parts["dev"], **options)
    return np.array([min(one.history.dev_costs, default=np.inf) for one in done])


def grid_or_random(example: Example, parts) -> None:
    """Compare 25 candidates on a grid, five α times five ε, with 25 random ones."""
    example.part("25 candidates over α and ε: a grid, and at random")
    places = [(a, e) for a in PLACES for e in PLACES]
    grid = [(ALPHA.at(a), EPSILON.at(e)) for a, e in places]
    grid_best = dev_costs(example, parts, [candidate(*pair) for pair in grid]).min()
    print(f"grid:   {len({a for a, _ in grid}):2d} learning rates, best dev cost {grid_best:.4f}")
    rounds, better, drawn = (3 if example.quick else 9), 0, []
    for seed in range(rounds):
        random = np.random.default_rng(seed).random((25, 2))
        drawn = [(ALPHA.at(a), EPSILON.at(e)) for a, e in random]
        best = dev_costs(example, parts, [candidate(*pair) for pair in drawn]).min()
        better += bool(best < grid_best)
        print(f"random: {len({a for a, _ in drawn})} learning rates, best dev cost {best:.4f}")
    said = f"at random is better in {better} of {rounds} rounds (target: more than half)"
    example.target(said, len(set(drawn)) == 25 and 2 * better > rounds)


def scales(example: Example, parts) -> None:
    """Compare a linear and a log scale between 0.00001 and 1."""
    example.part("α between 0.00001 and 1: on a linear scale and on a log scale")
    u = (np.arange(32) + 0.5) / 32
    curves, wasted, lowest = {}, 0.0, np.inf
    for name, scale in (("linear", Uniform(1e-5, 1)), ("log", ALPHA)):
        alphas = np.array([scale.at(place) for place in u])
        costs = dev_costs(example, parts, [candidate(alpha) for alpha in alphas])
        high = (alphas > 0.1).mean()
        wasted = high if name == "linear" else wasted
        curves[name], lowest = (alphas, costs), min(lowest, costs.min())
        print(f"{name:6s} {high:4.0%} of the draws above 0.1, best dev cost {costs.min():.4f}")
    example.target(f"{wasted:.0%} of a linear scale above 0.1 (target: 9 in 10)", wasted > 0.85)
    good = {name: int((costs < 2 * lowest).sum()) for name, (_, costs) in curves.items()}
    said = f"{good['linear']} of 32 within twice the lowest dev cost on a linear scale"
    said += f", {good['log']} on a log scale"
    example.target(f"{said} (target: twice as many)", good["log"] >= 2 * good["linear"])
    labels = {"title": "32 learning rates each", "xlabel": "α", "ylabel": "lowest dev cost"}
    example.picture("scales.png", lambda: plot_curves({"": curves}, log="xy", **labels))


def at_once(example: Example, parts) -> None:
    """Train many candidates in one program: the notes' caviar."""
    count = 8 if example.quick else 32
    example.part(f"{count} candidates at once, and one after the other")
    train, dev = parts["train"], parts["dev"]
    candidates = [candidate(ALPHA.at((i + 0.5) / count)) for i in range(count)]
    options = {"epochs": epochs(example), "batch_size": 128}

    def alone(one: Candidate):
        return fit(one.network, one.optimizer, softmax_cost, train, dev, **options)

    def together():
        return fit_many(candidates, softmax_cost, train, dev, **options)

    alone(candidates[0])
    together()  # both are compiled before the clock runs
    began = time.perf_counter()
    many = together()
    between = time.perf_counter()
    single = [alone(one) for one in candidates]
    ended = time.perf_counter()
    print(f"one after the other takes {(ended - between) / (between - began):.1f} times as long")
    slow = slice(0, count // 2)  # a large α makes of any rounding a difference
    pairs = zip(many[slow], single[slow], strict=True)
    apart = max(
        np.abs(np.subtract(a.history.dev_costs, b.history.dev_costs)).max() for a, b in pairs
    )
    said = f"their dev costs differ by at most {apart:.1e} in any epoch (target 1e-3)"
    example.target(said, apart < 1e-3)


def coarse_to_fine(example: Example) -> None:
    """Search in three rounds of eight candidates, each around the best of the round before."""
    example.part("Coarse to fine: α, β and λ")
    space = ["learning_rate=log(1e-5, 1)", "beta=one_minus_log(0.5, 0.999)", "l2=log(1e-3, 100)"]
    with tempfile.TemporaryDirectory() as folder:
        found = tune(
            "digits",
            space=space,
            trials=24,
            sampler="coarse_to_fine",
            out=Path(folder) / "search",
            hidden=(32,),
            epochs=epochs(example),
            batch_size=128,
        )
    size = found.search.settings.plan.round_size
    rounds = [[c for c in found.candidates if c.number // size == r] for r in range(3)]
    medians = [np.median([c.outcome.dev_cost for c in one]) for one in rounds]
    for one, cost in zip(rounds, medians, strict=True):
        alphas = [c.values["learning_rate"] for c in one]
        print(f"α from {min(alphas):.5f} to {max(alphas):.5f}: median dev cost {cost:.4f}")
    best = found.candidates[0]
    print(f"best: dev cost {best.outcome.dev_cost:.4f} with {dict(best.values)}")
    said = f"median dev cost {medians[0]:.3f} in the first round, {medians[-1]:.3f} in the last"
    example.target(f"{said} (target: half)", medians[-1] < medians[0] / 2)
    for name, picture in search_pictures(found.search.space, found.candidates).items():
        example.picture(f"search_{name}", lambda picture=picture: picture)


if __name__ == "__main__":
    main()
