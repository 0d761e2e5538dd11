"""A training step of an encoder layer beside PyTorch's: `python -m benchmarks.attention`.

128 features, 4 heads, 512 hidden units, 128 steps, 32 examples, no dropout: the forward and
backward pass of a squared cost, and a step of Adam. Ours is a loop inside a compiled program.
PyTorch runs with one and with two threads, alternating with ours, and the ratio is to the faster of
the two. The second case is a layer of a language model: causal, with sequences of different
lengths.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.timing import in_turn
from chainrule.layers.attention import TransformerEncoder
from chainrule.layers.layer import count_parameters
from chainrule.layers.steps import Steps
from chainrule.optim.adam import adam
from chainrule.optim.optimizer import apply_updates

D, HEADS, D_FF, T, M = 128, 4, 512, 128, 32
STEPS_PER_CALL = 8
TARGET = 0.9
LEARNING_RATE = 1e-3


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each (9)")
    rounds = parser.parse_args().rounds
    print("| case | chainrule ms | PyTorch ms | PyTorch, 2 threads | ratio | target |", flush=True)
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for causal in (False, True):
        print(line(causal, rounds), flush=True)


def line(causal: bool, rounds: int) -> str:
    """Measure a case."""
    random = np.random.default_rng(0)
    X, Y = (random.standard_normal((M, T, D), np.float32) for _ in range(2))
    lengths = random.integers(T // 2, T + 1, M, dtype=np.int32) if causal else None
    layer = TransformerEncoder(D, heads=HEADS, d_ff=D_FF, causal=causal, key=jax.random.key(0))
    module = torch.nn.TransformerEncoderLayer(D, HEADS, D_FF, dropout=0.0, batch_first=True)
    parameters, theirs = count_parameters(layer), sum(p.numel() for p in module.parameters())
    assert parameters == theirs, f"{parameters:,} numbers are trained, and {theirs:,} of PyTorch's"
    torch_steps = pytorch_steps(module, X, Y, lengths)
    runs = {
        "ours": our_steps(layer, X, Y, lengths),
        "one": lambda: torch_steps(1),
        "two": lambda: torch_steps(2),
    }
    for run in runs.values():
        run(), run()
    times = in_turn(runs, rounds)
    ours, one, two = (1e3 * times[name] / STEPS_PER_CALL for name in runs)
    title = "causal, with lengths" if causal else "all steps"
    ratio = ours / min(one, two)
    return f"| {title} | {ours:.1f} | {one:.1f} | {two:.1f} | {ratio:.2f} | {TARGET} |"


def our_steps(layer: TransformerEncoder, X: np.ndarray, Y: np.ndarray, lengths: np.ndarray | None):
    """Steps of Adam in one call of the compiled program.

    The examples are rows, which become columns inside of the step, as in `train/step.py`.
    """
    rows = jax.device_put((X, Y, lengths))
    optimizer = adam(LEARNING_RATE)

    def J(layer, X, Y, lengths):
        A = layer(Steps(jnp.moveaxis(X, 0, -1), lengths)).values
        return ((A - jnp.moveaxis(Y, 0, -1)) ** 2).sum() / M

    @jax.jit
    def many(layer, state, rows):
        def step(_, layer_and_state):
            layer, state = layer_and_state
            updates, state = optimizer.update(jax.grad(J)(layer, *rows), state, layer)
            return apply_updates(layer, updates), state

        return jax.lax.fori_loop(0, STEPS_PER_CALL, step, (layer, state))

    kept = [(layer, optimizer.init(layer))]

    def run():
        kept[0] = jax.block_until_ready(many(*kept[0], rows))

    return run


def pytorch_steps(module, X: np.ndarray, Y: np.ndarray, lengths: np.ndarray | None):
    """As many steps of the usual loop, with a number of threads."""
    inputs, target = torch.from_numpy(X), torch.from_numpy(Y)
    optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE, fused=True)
    masks = {}
    if lengths is not None:
        padding = torch.arange(T)[None] >= torch.from_numpy(lengths)[:, None]
        later = torch.triu(torch.ones(T, T, dtype=torch.bool), diagonal=1)
        masks = {"src_mask": later, "src_key_padding_mask": padding}

    def run(threads: int):
        torch.set_num_threads(threads)
        for _ in range(STEPS_PER_CALL):
            optimizer.zero_grad(set_to_none=True)
            ((module(inputs, **masks) - target) ** 2).sum().div(M).backward()
            optimizer.step()

    return run


if __name__ == "__main__":
    main()
