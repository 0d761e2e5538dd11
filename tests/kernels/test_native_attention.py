"""chainrule/kernels/native_attention.py: attention by the native wheel equals that of XLA.

Where it is not installed, this file is not collected (conftest.py).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import attention, native, native_attention
from chainrule.layers.attention import TransformerDecoder
from chainrule.layers.steps import Steps

# m, heads, T_q, T_k, and the features of a head of Q and of V; native/tests has more
EACH_SIZE = pytest.mark.parametrize(
    "sizes", [(3, 2, 5, 7, 16, 32), (2, 1, 70, 33, 48, 16)], ids=str
)
REFUSED = (ValueError, jax.errors.JaxRuntimeError)  # XLA wraps errors of the native code

pytestmark = [
    pytest.mark.skipif(
        "chainrule_attention" not in native.native().TARGETS,
        reason="the wheel was built before it had attention: make native",
    ),
    pytest.mark.usefixtures("float32_world"),
]


def numbers(seed, *sizes):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(sizes), jnp.float32)


def inputs_of(sizes):
    """Q, K, V and dA."""
    m, heads, T_q, T_k, d, d_v = sizes
    shapes = [(T_q, heads * d), (T_k, heads * d), (T_k, heads * d_v), (T_q, heads * d_v)]
    return [numbers(i, m, *shape) for i, shape in enumerate(shapes)]


def masks_of(sizes):
    """None, and masks that are equal for all examples, all queries, neither, or all keys."""
    m, _, T_q, T_k, *_ = sizes
    for shape in ((m, 1, T_k), (1, T_q, T_k), (m, T_q, T_k), (m, T_q, 1)):
        yield jnp.asarray(np.random.default_rng(0).random(shape) < 0.4)
    yield None


def assert_close(got, expected):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=3e-6 * max(1, float(np.abs(b).max())))


@EACH_SIZE
def test_outputs_and_gradients_are_those_of_xla(sizes, monkeypatch):
    Q, K, V, dA = inputs_of(sizes)
    assert native_attention.available(Q, V, sizes[1])
    for mask in masks_of(sizes):
        monkeypatch.delenv(native.SWITCH, raising=False)
        A, weights = attention.attend(Q, K, V, mask, heads=sizes[1])
        gradients = attention.attend_backward(dA, Q, K, V, A, weights)
        monkeypatch.setenv(native.SWITCH, "xla")
        assert not native_attention.available(Q, V, sizes[1])
        expected_A, expected = attention.attend(Q, K, V, mask, heads=sizes[1])
        assert_close([A, weights], [expected_A, expected])
        np.testing.assert_array_equal(weights == 0, expected == 0)
        assert_close(gradients, attention.attend_backward(dA, Q, K, V, expected_A, expected))


def test_a_layer_gives_the_same_with_and_without_the_wheel(monkeypatch):
    """Outputs and gradients of a decoder layer, for sequences of different lengths."""
    layer = TransformerDecoder(32, heads=2, d_ff=16, key=jax.random.key(0))
    Y = Steps(numbers(0, 5, 32, 4), jnp.array([5, 1, 0, 3]))
    X = Steps(numbers(1, 6, 32, 4), jnp.array([2, 6, 4, 1]))

    def results():
        A, pull = jax.vjp(lambda layer, y, x: _call(layer, Y, X, y, x), layer, Y.values, X.values)
        return A, pull(jnp.ones_like(A))

    got = results()
    monkeypatch.setenv(native.SWITCH, "xla")
    assert_close(got, results())


def _call(layer, Y, X, y, x):
    return layer((Y._replace(values=y), X._replace(values=x))).values


def test_several_models_at_once():
    """Calls under vmap run one after the other."""
    Q, K, V, _ = (jnp.stack([x, 2 * x]) for x in inputs_of((2, 2, 3, 4, 16, 16)))
    A, _ = jax.vmap(lambda *x: native_attention.attend(*x, None, heads=2))(Q, K, V)
    for i in range(2):
        assert_close(A[i], native_attention.attend(Q[i], K[i], V[i], None, heads=2)[0])


def test_what_is_left_to_xla():
    Q = numbers(0, 2, 3, 32)
    assert native_attention.available(Q, Q, 2)
    assert not native_attention.available(Q, Q, 4)  # heads of 8 features
    assert not native_attention.available(Q.astype(jnp.float16), Q, 2)
    assert not native_attention.available(Q[:0], Q[:0], 2)


def test_wrong_sizes_are_refused():
    Q, K, V, _ = inputs_of((2, 2, 3, 4, 16, 16))
    for arrays, mask, heads in (
        ((Q, K[:1], V), None, 2),
        ((Q, K, V[:, :2]), None, 2),
        ((Q, K, V), jnp.ones((3, 1, 4), bool), 2),
        ((Q, K, V), None, 3),
    ):
        with pytest.raises(REFUSED, match="chainrule-native"):
            jax.block_until_ready(native_attention.attend(*arrays, mask, heads=heads))
