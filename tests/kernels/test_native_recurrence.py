"""chainrule/kernels/native_recurrence.py: the loops of the native wheel equal those of XLA.

Where it is not installed, this file is not collected (conftest.py).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.gru import gru
from chainrule.blocks.lstm import lstm
from chainrule.blocks.recurrent import rnn
from chainrule.kernels import native, native_recurrence, recurrence, xla_recurrence

# T, m and n: less than a vector, and several with a part of one; native/tests has more
EACH_SIZE = pytest.mark.parametrize("sizes", [(5, 7, 3), (3, 60, 40)], ids=str)
EACH_WAY = pytest.mark.parametrize(
    ("has_lengths", "reverse"), [(False, False), (True, False), (True, True)]
)

REFUSED = (ValueError, jax.errors.JaxRuntimeError)  # XLA wraps errors of the native code

pytestmark = pytest.mark.skipif(
    "chainrule_recurrence" not in native.native().TARGETS,
    reason="the wheel was built before it had recurrent layers: make native",
)


class Numbers:
    """Random numbers of float32."""

    def __init__(self):
        self.random = np.random.default_rng(0)

    def __call__(self, *sizes):
        return jnp.asarray(0.5 * self.random.standard_normal(sizes), jnp.float32)

    def lengths(self, T, m):
        """From none to all steps."""
        return jnp.asarray(self.random.integers(0, T + 1, m), jnp.int32)


def assert_close(got, expected):
    """Check that arrays are equal to within 1e-5 of the largest number."""
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1, np.abs(b).max()))


def masked(Z, has_lengths, numbers):
    """Return Z, the lengths and the mask."""
    if not has_lengths:
        return Z, None, None
    lengths = numbers.lengths(*Z.shape[:2])
    real = recurrence.real_steps(Z, lengths)
    return jnp.where(real, Z, 0), lengths, real


@EACH_SIZE
@EACH_WAY
@pytest.mark.parametrize("g", ["tanh", "relu"])
@pytest.mark.usefixtures("float32_world")
def test_rnn(sizes, reverse, has_lengths, g):
    T, m, n = sizes
    numbers, settings = Numbers(), {"g": g, "reverse": reverse}
    W_a, b, a0, dA = numbers(n, n), numbers(1, n), numbers(m, n), numbers(T, m, n)
    Z, lengths, real = masked(numbers(T, m, n), has_lengths, numbers)
    A = native_recurrence.rnn_forward(Z, W_a, b, a0, lengths, **settings)
    assert_close(A, xla_recurrence.rnn_forward(Z, W_a, b, a0, real, **settings))
    got = native_recurrence.rnn_backward(dA, A, W_a, a0, lengths, **settings)
    assert_close(got, xla_recurrence.rnn_backward(dA, A, W_a, real, **settings))


@EACH_SIZE
@EACH_WAY
@pytest.mark.usefixtures("float32_world")
def test_lstm(sizes, reverse, has_lengths):
    T, m, n = sizes
    numbers = Numbers()
    W_a, b, a0, c0 = numbers(4 * n, n), numbers(1, 4 * n), numbers(m, n), numbers(m, n)
    Z, lengths, real = masked(numbers(T, m, 4 * n), has_lengths, numbers)
    dA, dC = numbers(T, m, n), numbers(T, m, n)
    inputs = (Z, W_a, b, a0, c0)
    A, C, gates = native_recurrence.lstm_forward(*inputs, lengths, reverse=reverse)
    *expected, slopes = xla_recurrence.lstm_forward(*inputs, real, reverse=reverse)
    assert_close([A, C], expected)
    got = native_recurrence.lstm_backward(dA, dC, A, gates, W_a, a0, lengths, reverse=reverse)
    assert_close(got, xla_recurrence.lstm_backward(dA, dC, slopes, W_a, real, reverse=reverse))


@EACH_SIZE
@EACH_WAY
@pytest.mark.parametrize("reset", ["before", "after", "none"])
@pytest.mark.usefixtures("float32_world")
def test_gru(sizes, reverse, has_lengths, reset):
    T, m, n = sizes
    numbers, settings = Numbers(), {"reset": reset, "reverse": reverse}
    gates, biases = {"before": (3, 3), "after": (3, 4), "none": (2, 2)}[reset]
    W_a, b, c0, dC = numbers(gates * n, n), numbers(1, biases * n), numbers(m, n), numbers(T, m, n)
    Z, lengths, real = masked(numbers(T, m, gates * n), has_lengths, numbers)
    C, kept = native_recurrence.gru_forward(Z, W_a, b, c0, lengths, **settings)
    expected, slopes = xla_recurrence.gru_forward(Z, W_a, b, c0, real, **settings)
    assert_close(C, expected)
    if reset == "before":
        assert_close(kept.input, slopes.input)
    got = native_recurrence.gru_backward(dC, C, kept, W_a, c0, lengths, **settings)
    assert_close(got, xla_recurrence.gru_backward(dC, slopes, W_a, real, **settings))


@pytest.mark.parametrize("layer", ["rnn", "lstm", "before", "after", "none"])
@pytest.mark.usefixtures("float32_world")
def test_the_blocks_give_the_same_with_and_without_the_wheel(layer, monkeypatch):
    """Outputs and gradients of sequences of different lengths, with nan beyond them."""
    T, m, n_x, n = 6, 9, 5, 11
    numbers = Numbers()
    rows = {"rnn": 1, "lstm": 4, "before": 3, "after": 3, "none": 2}[layer]
    W, lengths = numbers(rows * n, n + n_x), numbers.lengths(T, m)
    b = numbers((rows + (layer == "after")) * n, 1)
    real = jnp.arange(T)[:, None, None] < lengths[None, None]
    X, state = jnp.where(real, numbers(T, n_x, m), jnp.nan), numbers(n, m)

    def call(X, state, W, b):
        if layer == "rnn":
            return rnn(X, state, W, b, lengths, reverse=True)
        if layer == "lstm":
            return sum(lstm(X, state, -state, W, b, lengths, reverse=True))
        return gru(X, state, W, b, lengths, reset=layer, reverse=True)

    def results():
        A, pull = jax.vjp(jax.jit(lambda *inputs: call(*inputs)), X, state, W, b)
        return A, pull(jnp.where(real, 1.0, jnp.nan) * jnp.ones_like(A))

    got = results()
    monkeypatch.setenv(native.SWITCH, "xla")
    assert_close(got, results())


@pytest.mark.usefixtures("float32_world")
def test_lengths_beyond_the_steps_are_all_steps():
    numbers = Numbers()
    inputs = (numbers(3, 2, 4), numbers(4, 4), numbers(1, 4), numbers(2, 4))
    settings = {"g": "tanh", "reverse": True}
    lengths = jnp.array([100, -1], jnp.int32)
    A = native_recurrence.rnn_forward(*inputs, lengths, **settings)
    np.testing.assert_array_equal(
        A[:, 0], native_recurrence.rnn_forward(*inputs, None, **settings)[:, 0]
    )
    np.testing.assert_array_equal(A[:, 1], np.zeros((3, 4)))


@pytest.mark.usefixtures("float32_world")
def test_batches_by_vmap_equal_single_calls():
    numbers = Numbers()
    Z, W_a, b, a0 = numbers(2, 3, 4, 5), numbers(2, 5, 5), numbers(1, 5), numbers(4, 5)
    settings = {"g": "tanh", "reverse": False}

    def call(Z, W_a):
        return native_recurrence.rnn_forward(Z, W_a, b, a0, None, **settings)

    both = jax.jit(jax.vmap(call))(Z, W_a)
    for i in range(2):
        np.testing.assert_array_equal(both[i], call(Z[i], W_a[i]))


def test_float64_is_left_to_xla():
    assert not native_recurrence.available(jnp.ones((2, 3, 4), np.float64))
    assert native_recurrence.available(jnp.ones((2, 3, 4), np.float32))
    assert not native_recurrence.available(jnp.ones((2, 0, 4), np.float32))


@pytest.mark.usefixtures("float32_world")
def test_sizes_that_do_not_fit_are_refused():
    Z, W_a, b, a0 = (jnp.ones(s, jnp.float32) for s in ((2, 3, 8), (8, 2), (1, 8), (3, 2)))
    wrong = [
        (Z[..., :4], W_a, b, a0, a0),
        (Z, W_a[:4], b, a0, a0),
        (Z, W_a, b[:, :4], a0, a0),
        (Z, W_a, b, a0[:2], a0),
        (Z, W_a, b, a0, a0[:, :1]),
    ]
    for inputs in wrong:
        with pytest.raises(REFUSED, match="another size"):
            jax.block_until_ready(native_recurrence.lstm_forward(*inputs, None, reverse=False))
    inputs, lengths = (Z, W_a, b, a0, a0), jnp.ones(2, jnp.int32)
    with pytest.raises(REFUSED, match="lengths of another size"):
        jax.block_until_ready(native_recurrence.lstm_forward(*inputs, lengths, reverse=False))
