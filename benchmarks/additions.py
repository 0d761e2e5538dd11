"""What is added to a step, and what it costs: momentum, L2, dropout, batch norm, the finite check.

    python -m benchmarks.additions [--rounds N] [--length S]

Each is the compiled loop of 784-256-128-10 with batches of 64, beside the plain step of gradient
descent (for the finite check: beside the same Adam step without it).
"""

import argparse
from functools import partial
from unittest import mock

import jax
import jax.numpy as jnp

from benchmarks.cases import MIDDLE
from benchmarks.contenders.ours import chainrule_loop
from benchmarks.timing import fitted, in_turn
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.momentum import momentum
from chainrule.train.epochs import run_steps
from chainrule.train.step import Penalty

PLAIN = {"optimizer": gradient_descent(0.01)}
L2 = {"penalty": Penalty(0.1, None, MIDDLE.m)}
DROPOUT, BATCH_NORM = {"keep_prob": (0.8, 0.8)}, {"batch_norm": True}
ALL = {"optimizer": momentum(0.01), **L2, **DROPOUT, **BATCH_NORM}
VARIANTS = {
    "plain": PLAIN,
    "momentum": {"optimizer": momentum(0.01)},
    "L2": PLAIN | L2,
    "dropout": PLAIN | DROPOUT,
    "batch norm": PLAIN | BATCH_NORM,
    "all four together": ALL,
    "Adam": {},
}
TARGETS = {"all four together": 1.5, "the finite check": 1.03}


def without_check(case, epochs):
    """The Adam loop as it would be if nobody asked whether the numbers are finite."""
    unchecked = jax.jit(
        run_steps.__wrapped__,
        static_argnames=("cost", "metric", "update"),
        donate_argnames=("progress",),
    )
    run = chainrule_loop(case, epochs, run_steps=unchecked)
    with mock.patch("jax.numpy.isfinite", lambda x: jnp.ones(jnp.shape(x), bool)):
        run()
    return run


def ratios(length: float, rounds: int) -> dict[str, float]:
    """Each variant's median step beside the plain one's."""
    contenders = {name: partial(chainrule_loop, **options) for name, options in VARIANTS.items()}
    contenders["without the check"] = without_check
    made = {name: fitted(contender, MIDDLE, length) for name, contender in contenders.items()}
    times = in_turn({name: run for name, (run, _) in made.items()}, rounds)
    steps = {name: times[name] / n for name, (_, n) in made.items()}
    found = {name: seconds / steps["plain"] for name, seconds in steps.items()}
    found["the finite check"] = steps["Adam"] / steps["without the check"]
    return found


def main() -> None:
    """Print the ratios, and whether they are what was promised."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.additions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each (7)")
    parser.add_argument("--length", type=float, default=1.0, help="seconds of each (1.0)")
    options = parser.parse_args()
    for name, ratio in ratios(options.length, options.rounds).items():
        bound = TARGETS.get(name)
        said = (
            "" if bound is None else f"   target ≤ {bound}: {'met' if ratio <= bound else 'missed'}"
        )
        print(f"{name:20} {ratio:6.3f}{said}")


if __name__ == "__main__":
    main()
