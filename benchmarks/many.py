"""Many networks at once (`fit_many`) beside one of them, and beside as many fits of scikit-learn.

`python -m benchmarks.many` prints the figures. Each is of whole trainings of about a second, data
to the device and history included, divided by their steps; our trainings look at a dev set of 64
rows after each epoch. scikit-learn's fits are taken in turn, so one of them is timed and
multiplied.
"""

import argparse
from functools import partial

import jax

from benchmarks.cases import LEARNING_RATE, Case, examples, targets
from benchmarks.contenders.scikit_learn import scikit_learn
from benchmarks.timing import fitted, in_turn
from chainrule.blocks.costs import softmax_cost
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.many import Candidate, fit_many

CASES = tuple(Case((64, 64, 32, 10), batch_size, 1792) for batch_size in (32, 64, 256))
MANY = (8, 64)
DEV_ROWS = 64


def chainrule_one(case: Case, epochs: int):
    """One of them, by `fit`."""
    train, dev = parts(case)
    network, optimizer = candidates(case, 1)[0][:2]
    settings = {"epochs": epochs, "batch_size": case.batch_size}
    return partial(fit, network, optimizer, softmax_cost, train, dev, **settings)


def chainrule_many(count: int, case: Case, epochs: int):
    """So many at once, each with first weights and a learning rate of its own."""
    settings = {"epochs": epochs, "batch_size": case.batch_size}
    return partial(fit_many, candidates(case, count), softmax_cost, *parts(case), **settings)


def candidates(case: Case, count: int) -> list[Candidate]:
    """Networks of one kind."""
    return [
        Candidate(
            DeepNetwork(case.sizes, key=jax.random.key(i)), adam(LEARNING_RATE * (1 + i / count))
        )
        for i in range(count)
    ]


def parts(case: Case) -> tuple[Examples, Examples]:
    """The training set and the dev set."""
    X, classes = examples(case)
    Y = targets(case, classes)
    return Examples(X, Y), Examples(X[:DEV_ROWS], Y[:DEV_ROWS])


def step_seconds(case: Case, *, length: float, rounds: int) -> dict[str, float]:
    """The median seconds of a step of each: of one network, or of all of them together."""
    contenders = {"one": chainrule_one, "scikit-learn": scikit_learn}
    contenders |= {f"{count} at once": partial(chainrule_many, count) for count in MANY}
    made = {name: fitted(contender, case, length) for name, contender in contenders.items()}
    times = in_turn({name: run for name, (run, _) in made.items()}, rounds)
    return {name: times[name] / steps for name, (_, steps) in made.items()}


def line(case: Case, seconds: dict[str, float]) -> str:
    """The figures of a case, in words."""
    one = seconds["one"]
    found = [f"{case.title}: one {1e6 * one:.0f} µs a step"]
    for count in MANY:
        all_of_them = seconds[f"{count} at once"]
        times, theirs = all_of_them / one, count * seconds["scikit-learn"] / all_of_them
        found.append(
            f"{count} at once {1e6 * all_of_them:.0f} µs, {times:.1f} times one; "
            f"{count} fits of scikit-learn take {theirs:.1f} times as long"
        )
    return "\n    ".join(found)


def main() -> None:
    """The whole run: about two minutes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each (5)")
    parser.add_argument("--length", type=float, default=1.0, help="seconds of each (1.0)")
    options = parser.parse_args()
    for case in CASES:
        print(line(case, step_seconds(case, length=options.length, rounds=options.rounds)))


if __name__ == "__main__":
    main()
