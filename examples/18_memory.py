"""18: why a plain recurrent network forgets, and an LSTM does not.

Notes: "Vanishing gradients with RNNs" and "Long Short Term Memory (LSTM)" (course 5, week 1).
A task of copying: the first step shows one of four symbols, then noise follows, and the last step
asks which symbol it was. Backpropagation through time multiplies the gradient by W_aᵀ and by the
slope of tanh at every step; the memory cell of an LSTM is multiplied by its forget gate alone.
Targets: before training, the gradient of the last state with respect to the first input is at most
1e-3 of that with respect to the last input in an RNN, and at least 1e-1 in an LSTM whose forget
gate is open (b = 4). After the same number of epochs the LSTM copies at least 0.95 of the symbols
over 80 steps, and the RNN at most 0.5, where a guess is right in 0.25. Over 5 steps both learn it.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule import Examples, adam, fit
from chainrule.blocks.costs import softmax_cost
from chainrule.blocks.lstm import lstm_backward, lstm_forward
from chainrule.blocks.recurrent import rnn_backward, rnn_forward
from chainrule.data.sequences import Sequences
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.example_plots import plot_curves
from chainrule.layers.dense import Dense
from chainrule.layers.recurrent import LSTM, RNN
from chainrule.layers.sequential import Sequential
from chainrule.optim.transforms import clip_by_norm

SYMBOLS, UNITS = 4, 16
SHORT, LONG = 5, 80
OPEN = 4.0
"""The b of an open forget gate: sigmoid(4) is 0.98."""
FADED, KEPT = 1e-3, 1e-1
LEARNED, GUESSED = 0.95, 0.5


def main() -> None:
    """Run both parts."""
    example = Example(__doc__ or "")
    norms(example)
    copying(example)
    example.finish()


def layer(kind: str) -> Any:
    """Return an RNN, or an LSTM whose forget gate is open."""
    if kind == "RNN":
        return RNN(SYMBOLS + 1, UNITS, last=True, key=key_from_seed(0))
    made = LSTM(SYMBOLS + 1, UNITS, last=True, key=key_from_seed(0))
    b = made.b.at[UNITS : 2 * UNITS].set(OPEN)  # the rows of W and b are those of Γu, Γf, Γo and c̃
    return eqx.tree_at(lambda lstm: lstm.b, made, b)


def task(m: int, T: int, seed: int) -> Examples:
    """Return m sequences of T steps: a symbol, then noise; and the symbol as the label."""
    rng = np.random.default_rng(seed)
    symbols = rng.integers(SYMBOLS, size=m)
    X = np.zeros((m, T, SYMBOLS + 1), np.float32)
    X[np.arange(m), 0, symbols] = 1
    X[:, 1:, SYMBOLS] = rng.standard_normal((m, T - 1))
    return Examples(
        Sequences(X, np.full(m, T, np.int32)), np.eye(SYMBOLS, dtype=np.float32)[symbols]
    )


def norms(example: Example) -> None:
    """Measure the gradient of the last state with respect to each input, before training."""
    example.part(f"The gradient over a distance of up to {LONG} steps, compared with distance 0")
    X = jnp.asarray(np.moveaxis(task(32, LONG, seed=2).X.values, 0, -1))  # (T, n_x, m)
    zero = jnp.zeros((UNITS, X.shape[2]), X.dtype)
    d_last = jnp.zeros((LONG, *zero.shape), X.dtype).at[-1].set(1)
    shares = {}
    for kind in ("RNN", "LSTM"):
        made = layer(kind)
        if kind == "RNN":
            _, cache = rnn_forward(X, zero, made.W, made.b)
            dX = rnn_backward(d_last, cache)[0]
        else:
            _, cache = lstm_forward(X, zero, zero, made.W, made.b)
            dX = lstm_backward((d_last, jnp.zeros_like(d_last)), cache)[0]
        sizes = np.sqrt((np.asarray(dX) ** 2).mean(axis=(1, 2)))[::-1]
        shares[kind] = sizes / sizes[0]
        print(f"{kind:5}" + "".join(f"{shares[kind][t]:10.1e}" for t in (1, 10, 30, LONG - 1)))
    for kind, bound, reached in (
        ("RNN", FADED, shares["RNN"][-1] <= FADED),
        ("LSTM", KEPT, shares["LSTM"][-1] >= KEPT),
    ):
        words = "at most" if kind == "RNN" else "at least"
        share = f"{shares[kind][-1]:.0e} of the gradient reaches the first step"
        example.target(f"{kind}: {share} (target {words} {bound:.0e})", bool(reached))
    curves = {"": {kind: (range(LONG), share) for kind, share in shares.items()}}
    how = {"title": "The gradient over time", "xlabel": "steps back", "ylabel": "share", "log": "y"}
    example.picture("gradient_over_time.png", lambda: plot_curves(curves, **how))


def copying(example: Example) -> None:
    """Train both on the task of copying, over few steps and over many."""
    m, epochs = 1000, 8
    example.part(f"Copying a symbol: the accuracy after {epochs} epochs, guessing is 0.25")
    found = {}
    for T in (SHORT, LONG):
        train, dev = task(m, T, seed=0), task(400, T, seed=1)
        for kind in ("RNN", "LSTM"):
            start = Sequential([layer(kind), Dense(UNITS, SYMBOLS, key=jax.random.key(1))])
            optimizer = clip_by_norm(adam(0.01), 1.0)
            how = {"epochs": epochs, "batch_size": 50}
            done = fit(start, optimizer, softmax_cost, train, dev, **how)
            found[kind, T] = max(epoch.metric or 0 for epoch in done.history.epochs)
            print(f"{kind:5} over {T:2} steps: {found[kind, T]:.3f}")
    short = min(found["RNN", SHORT], found["LSTM", SHORT])
    example.target(f"over {SHORT} steps: {short:.3f} (target {LEARNED})", short >= LEARNED)
    lstm, rnn = found["LSTM", LONG], found["RNN", LONG]
    example.target(f"LSTM over {LONG}: {lstm:.3f} (target {LEARNED})", lstm >= LEARNED)
    example.target(f"RNN over {LONG}: {rnn:.3f} (target at most {GUESSED})", rnn <= GUESSED)


if __name__ == "__main__":
    main()
