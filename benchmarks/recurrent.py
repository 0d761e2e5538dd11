"""Training steps of recurrent layers beside PyTorch's and Keras's, in one run, in turn.

`python -m benchmarks.recurrent` prints a table, in about three minutes: the forward and backward
pass of a recurrent layer and a dense softmax layer on its last step, and a step of Adam. Ours are
steps in a loop inside a compiled program, as `fit` has them. PyTorch runs with one thread and with
two, and the ratio is to the faster of the two. Keras 3 on JAX is timed if it is installed.
`--lengths` prints the time of a step for sequences of 100 to 800 steps instead.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from benchmarks.cases import LEARNING_RATE
from benchmarks.timing import QUIET, noise, warm_in_turn
from chainrule.blocks.costs import softmax_cost
from chainrule.layers.dense import Dense
from chainrule.layers.initializers import xavier
from chainrule.layers.layer import count_parameters
from chainrule.layers.recurrent import GRU, LSTM, RNN
from chainrule.layers.sequential import Sequential
from chainrule.optim.adam import adam
from chainrule.optim.optimizer import apply_updates

CLASSES = 10
STEPS_PER_CALL = 4
LAYERS: dict[str, Callable] = {
    "RNN": RNN,
    "LSTM": LSTM,
    "GRU": lambda *sizes, **settings: GRU(*sizes, reset="after", **settings),  # as PyTorch's
}


class Step(NamedTuple):
    """A training step that is timed: m sequences of T steps, and the promised ratio."""

    kind: str
    m: int
    T: int
    n_x: int
    n_a: int
    target: float


SIZES = ((32, 50, 16, 32, 0.6), (32, 100, 32, 64, 0.6), (64, 100, 64, 128, 0.6))
LARGE = (64, 100, 128, 256, 0.9)
STEPS = [Step(kind, *sizes) for kind in ("LSTM", "GRU") for sizes in (*SIZES, LARGE)]
LENGTHS = [Step("LSTM", 32, T, 32, 64, 1.2) for T in (100, 200, 400, 800)]
HEAD = "| layer | batch, steps, inputs, units | chainrule, in ms | PyTorch, 1 thread | 2 threads | "
HEAD += "Keras on JAX | ratio | target |\n|---|---|--:|--:|--:|--:|--:|--:|"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recurrent", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each (9)")
    parser.add_argument("--only", default="", help="lines that have this in them, such as GRU")
    parser.add_argument("--lengths", action="store_true", help="the time for more and more steps")
    options = parser.parse_args()
    spread = noise()
    busy = "" if spread < QUIET else ": the machine is busy, and the figures are not reliable"
    print(f"noise {spread:.2f}{busy}", flush=True)
    if options.lengths:
        print_lengths(options.rounds)
        return
    print(HEAD, flush=True)
    for case in STEPS:
        if options.only in title(case):
            print(line(case, options.rounds), flush=True)


def title(case: Step) -> str:
    """The first two columns."""
    return f"{case.kind} | {case.m}, {case.T}, {case.n_x}, {case.n_a}"


def line(case: Step, rounds: int) -> str:
    """Measure a step of all contenders."""
    from benchmarks.contenders import keras_recurrent, pytorch_recurrent

    X, classes = examples(case)
    network = build(case)
    module = pytorch_recurrent.ManyToOne(case.kind, case.n_x, case.n_a, CLASSES)
    check_sizes(case, network, sum(p.numel() for p in module.parameters()))
    torch_steps = pytorch_recurrent.training_steps(module, X, classes, STEPS_PER_CALL)
    runs = {
        "ours": our_steps(network, X, classes),
        "one": lambda: torch_steps(1),
        "two": lambda: torch_steps(2),
    }
    keras = keras_recurrent.training_steps(case.kind, case.n_a, X, classes, STEPS_PER_CALL)
    if keras is not None:
        runs["keras"] = keras
    times = {name: 1e3 * t / STEPS_PER_CALL for name, t in warm_in_turn(runs, rounds).items()}
    ratio = times["ours"] / min(times["one"], times["two"])
    shown = " | ".join(f"{times[name]:.2f}" if name in times else "–" for name in SHOWN)
    return f"| {title(case)} | {shown} | {ratio:.2f} | {case.target} |"


SHOWN = ("ours", "one", "two", "keras")


def print_lengths(rounds: int) -> None:
    """Print the time of a step of T, which should grow as T does."""
    runs = {case.T: our_steps(build(case), *examples(case)) for case in LENGTHS}
    times = warm_in_turn({str(T): run for T, run in runs.items()}, rounds)
    per_step = {T: 1e6 * times[str(T)] / STEPS_PER_CALL / T for T in runs}
    print("| steps T | µs for each | ratio to the first | target |\n|--:|--:|--:|--:|")
    for T, time in per_step.items():
        ratio = time / per_step[LENGTHS[0].T]
        print(f"| {T} | {time:.2f} | {ratio:.2f} | {LENGTHS[0].target} |")


def examples(case: Step) -> tuple[np.ndarray, np.ndarray]:
    """X (m, T, n_x) and the classes."""
    random = np.random.default_rng(0)
    X = random.standard_normal((case.m, case.T, case.n_x), np.float32)
    return X, random.integers(0, CLASSES, case.m)


def build(case: Step) -> Sequential:
    """The network."""
    first, second = jax.random.split(jax.random.key(0))
    recurrent = LAYERS[case.kind](case.n_x, case.n_a, last=True, key=first)
    return Sequential([recurrent, Dense(case.n_a, CLASSES, key=second, initializer=xavier)])


def check_sizes(case: Step, network: Sequential, theirs: int) -> None:
    """PyTorch has a second b, of which chainrule has only the part of the GRU inside the reset."""
    blocks = {"RNN": 1, "LSTM": 4, "GRU": 2}[case.kind]
    ours = count_parameters(network) + blocks * case.n_a
    assert ours == theirs, f"{ours:,} numbers are trained, and {theirs:,} of PyTorch's"


def our_steps(network: Sequential, X: np.ndarray, classes: np.ndarray) -> Callable[[], None]:
    """Steps of Adam in one call of a compiled program, from rows as `fit` has them."""
    rows, Y = jax.device_put((X, np.eye(CLASSES, dtype=np.float32)[classes].T))
    optimizer = adam(LEARNING_RATE)

    def J(network, X):
        return softmax_cost(network(X), Y)

    @jax.jit
    def many(network, state, rows):
        def step(_, carry):
            network, state = carry
            gradients = jax.grad(J)(network, rows.transpose(1, 2, 0))
            updates, state = optimizer.update(gradients, state, network)
            return apply_updates(network, updates), state

        return jax.lax.fori_loop(0, STEPS_PER_CALL, step, (network, state))

    kept = [(network, optimizer.init(network))]

    def run() -> None:
        kept[0] = jax.block_until_ready(many(*kept[0], rows))

    return run


if __name__ == "__main__":
    main()
