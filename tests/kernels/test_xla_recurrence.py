"""chainrule/kernels/xla_recurrence.py: how the loops are compiled; tests/blocks has the results."""

import re

import jax
import jax.numpy as jnp
import pytest

from chainrule.kernels import xla_recurrence as loops
from chainrule.kernels.xla_recurrence import GRUSlopes, LSTMSlopes

T, M, N = 29, 7, 5  # different numbers, which the text of a program shows


def shape(*sizes, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(sizes, dtype)


def gru(loop, reset):
    gates, biases = {"before": (3, 3), "after": (3, 4), "none": (2, 2)}[reset]
    Z, W_a, each = shape(T, M, gates * N), shape(gates * N, N), shape(T, M, N)
    if loop is loops.gru_forward:
        return loop, (Z, W_a, shape(1, biases * N), shape(M, N)), {"reset": reset}
    resets = None if reset == "none" else each
    inputs = each if reset == "before" else None
    return loop, (each, GRUSlopes(Z, each, resets, inputs), W_a), {"reset": reset}


EACH, STATE, LSTM_W = shape(T, M, N), shape(M, N), shape(4 * N, N)
RNN_INPUTS = (EACH, shape(N, N), shape(1, N), STATE)
LSTM_INPUTS = (shape(T, M, 4 * N), LSTM_W, shape(1, 4 * N), STATE, STATE)
CASES = {
    "RNN": (loops.rnn_forward, RNN_INPUTS, {"g": "tanh"}),
    "RNN, backward": (loops.rnn_backward, (EACH, EACH, shape(N, N)), {"g": "relu"}),
    "LSTM": (loops.lstm_forward, LSTM_INPUTS, {}),
    "LSTM, backward": (
        loops.lstm_backward,
        (EACH, EACH, LSTMSlopes(shape(T, M, 4 * N), EACH, EACH), LSTM_W),
        {},
    ),
    **{f"GRU, {reset}": gru(loops.gru_forward, reset) for reset in ("before", "after", "none")},
    **{
        f"GRU, {reset}, backward": gru(loops.gru_backward, reset)
        for reset in ("before", "after", "none")
    },
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("float32_world")
def test_a_step_copies_no_other_steps(name, masked):
    """XLA copies an array of all steps if a step reads it after it has written to it.

    Such a loop would take a time that is quadratic in the number of steps.
    """
    loop, inputs, settings = CASES[name]
    real = shape(T, M, 1, dtype=jnp.bool_) if masked else None
    call = jax.jit(lambda *inputs: loop(*inputs, **settings, reverse=False))
    text = call.lower(*inputs, real).compile().as_text()
    in_loops = text.split("ENTRY")[0]  # the computations before the main one
    assert f"f32[{T},{M}," in in_loops
    assert re.findall(rf"= f32\[{T},\S+ copy\(", in_loops) == []
