"""chainrule/kernels/native.py: what the native wheel computes.

Where it is not installed, this file is not collected (conftest.py).
"""

import threading
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.kernels import native
from chainrule.kernels.native import Geometry

NATIVE = native.native()
REFUSED = (ValueError, jax.errors.JaxRuntimeError)  # XLA wraps errors of the native code


def normal(*shape: int, seed: int = 0, dtype=np.float32):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


# images, filters, s, pads, groups
SHAPES = {
    "3×3, Winograd": ((4, 9, 10, 8), (3, 3, 8, 16), 1, (1, 1), 1),
    "3×3, few positions": ((2, 5, 5, 16), (3, 3, 16, 8), 1, (1, 1), 1),
    "3×3, pixels": ((2, 9, 9, 3), (3, 3, 3, 8), 1, (1, 1), 1),
    "stride 2": ((2, 8, 11, 16), (3, 3, 16, 16), 2, (1, 1), 1),
    "1×1": ((3, 5, 5, 5), (1, 1, 5, 7), 1, (0, 0), 1),
    "1×1, stride 2": ((2, 7, 7, 8), (1, 1, 8, 16), 2, (0, 0), 1),
    "1×1, stride 2, half a block": ((4, 56, 46, 8), (1, 1, 8, 16), 2, (0, 0), 1),
    "1×1, stride 3, odd channels": ((2, 10, 12, 20), (1, 1, 20, 24), 3, (0, 0), 1),
    "7×7": ((1, 12, 12, 3), (7, 7, 3, 16), 2, (3, 3), 1),
    "even f": ((2, 6, 6, 4), (2, 2, 4, 8), 1, (0, 1), 1),
    "f_H is not f_W": ((2, 6, 7, 4), (2, 3, 4, 8), 1, (1, 1), 1),
    "stride larger than f": ((2, 9, 9, 2), (2, 2, 2, 4), 3, (0, 0), 1),
    "one number": ((1, 3, 3, 1), (3, 3, 1, 1), 1, (0, 0), 1),
    "depthwise": ((2, 7, 7, 8), (3, 3, 1, 8), 1, (1, 1), 8),
    "depthwise, stride 2": ((2, 8, 8, 16), (3, 3, 1, 16), 2, (0, 1), 16),
    "groups": ((2, 6, 6, 6), (3, 3, 2, 9), 1, (1, 1), 3),
}


def case(name: str):
    images, filters, s, pads, groups = SHAPES[name]
    g = Geometry.of(images, filters, s=s, pads=pads, groups=groups)
    A_prev, W, b = normal(*images), normal(*filters, seed=1), normal(1, 1, 1, filters[3], seed=2)
    return g, A_prev, W, b, normal(*g.result, seed=3), {"s": s, "pads": pads, "groups": groups}


def assert_close(got, expected):
    """Check that arrays are equal to within 1e-5 of the largest number."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))


def test_by_hand():
    A_prev = jnp.arange(9, dtype=jnp.float32).reshape(1, 3, 3, 1)
    W = jnp.asarray([[1.0, 0.0], [0.0, -1.0]], jnp.float32).reshape(2, 2, 1, 1)
    b = jnp.full((1, 1, 1, 1), 3.0, jnp.float32)
    same = native.conv_forward(A_prev, W, b, s=1, pads=(0, 0))  # each number less its diagonal: −4
    np.testing.assert_array_equal(same.squeeze(), [[-1.0, -1.0], [-1.0, -1.0]])
    relu = native.conv_forward(A_prev, W, 5 / 3 * b, s=1, pads=(0, 0), relu=True)
    np.testing.assert_array_equal(relu.squeeze(), [[1.0, 1.0], [1.0, 1.0]])
    dZ = jnp.ones((1, 2, 2, 1), jnp.float32)
    dA_prev = native.conv_input_gradient(dZ, W, n_H_prev=3, n_W_prev=3, s=1, pads=(0, 0))
    np.testing.assert_array_equal(
        dA_prev.squeeze(), [[1.0, 1.0, 0.0], [1.0, 0.0, -1.0], [0.0, -1.0, -1.0]]
    )
    dW, db = native.conv_filter_gradient(A_prev, dZ, f_H=2, f_W=2, s=1, pads=(0, 0), bias=True)
    np.testing.assert_array_equal(dW.squeeze(), [[8.0, 12.0], [20.0, 24.0]])
    np.testing.assert_array_equal(db, np.full((1, 1, 1, 1), 4.0))


def by_loops(A_prev, W, dZ, *, s, pads, groups):
    """Return Z, dA_prev and dW in float64, by a product for each filter position and group."""
    A_prev, W, dZ = (np.asarray(array, np.float64) for array in (A_prev, W, dZ))
    padded = np.pad(A_prev, ((0, 0), pads, pads, (0, 0)))
    Z, dA, dW = np.zeros(dZ.shape), np.zeros(padded.shape), np.zeros(W.shape)
    n_in, n_out = W.shape[2], W.shape[3] // groups
    for i, j, k in np.ndindex(*W.shape[:2], groups):
        rows, columns = (
            slice(at, at + s * (n - 1) + 1, s) for at, n in zip((i, j), dZ.shape[1:3], strict=True)
        )
        into, out = slice(k * n_in, (k + 1) * n_in), slice(k * n_out, (k + 1) * n_out)
        patch = padded[:, rows, columns, into]
        Z[..., out] += patch @ W[i, j, :, out]
        dA[:, rows, columns, into] += dZ[..., out] @ W[i, j, :, out].T
        dW[i, j, :, out] = np.tensordot(patch, dZ[..., out], axes=([0, 1, 2], [0, 1, 2]))
    inside = (slice(pads[0], pads[0] + n) for n in A_prev.shape[1:3])
    return Z, dA[:, *inside], dW


@pytest.mark.parametrize("name", SHAPES)
def test_matches_loops_in_float64(name):
    g, A_prev, W, b, dZ, how = case(name)
    sizes = {"n_H_prev": g.images[1], "n_W_prev": g.images[2]}
    f = {"f_H": g.filters[0], "f_W": g.filters[1]}
    ours = (
        native.conv_forward(A_prev, W, b, **how),
        native.conv_forward(A_prev, W, None, relu=True, **how),
        native.conv_input_gradient(dZ, W, **sizes, **how),
        *native.conv_filter_gradient(A_prev, dZ, bias=True, **f, **how),
        native.conv_filter_gradient(A_prev, dZ, **f, **how)[0],
    )
    Z, dA_prev, dW = by_loops(A_prev, W, dZ, **how)
    db = np.sum(np.asarray(dZ, np.float64), axis=(0, 1, 2), keepdims=True)
    expected = (Z + np.asarray(b), np.maximum(Z, 0), dA_prev, dW, db, dW)
    for got, want in zip(ours, expected, strict=True):
        assert got.dtype == jnp.float32
        assert_close(got, want)


@pytest.mark.parametrize(
    "name", ["3×3, Winograd", "stride 2", "1×1", "1×1, stride 2, half a block", "depthwise"]
)
def test_packed_filters_with_a_residual(name):
    g, A_prev, W, b, residual, how = case(name)
    before = np.array(residual)

    @jax.jit
    def run(A_prev, W, b, residual):
        packed = native.pack(W, geometry=g)
        return (
            native.conv_forward_packed(A_prev, packed, b, residual, geometry=g, relu=True),
            native.conv_forward_packed(A_prev, packed, None, geometry=g),
            native.conv_forward(A_prev, W, b, **how),
            native.conv_forward(A_prev, W, None, **how),
        )

    fused, plain, with_b, Z = run(A_prev, W, b, residual)
    assert_close(fused, jnp.maximum(with_b + residual, 0))
    assert_close(plain, Z)
    np.testing.assert_array_equal(residual, before)


def test_filters_packed_for_another_convolution_are_an_error():
    g, A_prev, W, _, _, _ = case("1×1")
    packed = native.pack(W, geometry=g)
    for wrong in (packed * 2, packed[:-1]):
        with pytest.raises(REFUSED, match=r"chainrule-native: .*packed"):
            native.conv_forward_packed(A_prev, wrong, None, geometry=g).block_until_ready()


def test_the_choice_of_kernels():
    def kernel(way, images, filters, packed=False):
        return NATIVE.kernel(way, images, filters, [1, 1, 1, 1], packed)

    for way in ("forward", "input_gradient", "filter_gradient"):
        assert kernel(way, (64, 32, 32, 16), (3, 3, 16, 16)) == "Winograd"
        assert kernel(way, (1, 7, 7, 512), (3, 3, 512, 512)).startswith("oneDNN")
    pixels = (64, 32, 32, 3), (3, 3, 3, 16)
    assert kernel("forward", *pixels).startswith("oneDNN")
    assert kernel("filter_gradient", *pixels) == "thin"
    assert kernel("forward", (1, 14, 14, 256), (3, 3, 256, 256)).startswith("oneDNN")
    assert kernel("forward", (1, 14, 14, 256), (3, 3, 256, 256), packed=True) == "Winograd"


def test_no_examples():
    A_prev, W = jnp.zeros((0, 5, 5, 3), jnp.float32), normal(3, 3, 3, 8)
    Z = native.conv_forward(A_prev, W, None, s=1, pads=(1, 1))
    assert Z.shape == (0, 5, 5, 8)
    dA = native.conv_input_gradient(Z, W, n_H_prev=5, n_W_prev=5, s=1, pads=(1, 1))
    assert dA.shape == A_prev.shape
    dW, db = native.conv_filter_gradient(A_prev, Z, f_H=3, f_W=3, s=1, pads=(1, 1), bias=True)
    np.testing.assert_array_equal(dW, np.zeros(W.shape))
    np.testing.assert_array_equal(db, np.zeros((1, 1, 1, 8)))
    g = Geometry.of(A_prev.shape, W.shape, s=1, pads=(1, 1))
    packed = native.pack(W, geometry=g)
    assert native.conv_forward_packed(A_prev, packed, None, geometry=g).shape == Z.shape


def test_inside_a_loop_and_many_at_once():
    _, A_prev, W, _, _, how = case("3×3, few positions")
    W = W @ normal(8, 16, seed=4)  # as many channels out as in

    def layer(A, _):
        return 0.1 * native.conv_forward(A, W, None, relu=True, **how), None

    looped = jax.jit(lambda A: jax.lax.scan(layer, A, None, length=5)[0])(A_prev)
    unrolled = A_prev
    for _ in range(5):
        unrolled, _ = layer(unrolled, None)
    assert_close(looped, unrolled)
    many = jax.vmap(lambda A, W: native.conv_forward(A, W, None, **how))(
        jnp.stack([A_prev, 2 * A_prev]), jnp.stack([W, W])
    )
    assert_close(many[1], 2 * many[0])


def test_refuses_other_dtypes():
    g, A_prev, W, _, _, how = case("1×1")
    with pytest.raises(ChainruleError, match="expected arrays of float32; got float64"):
        native.conv_forward(jnp.asarray(A_prev, jnp.float64), W, None, **how)
    with pytest.raises(ChainruleError, match="got bfloat16"):
        native.pack(jnp.asarray(W, jnp.bfloat16), geometry=g)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([0, 0, 0, 1, 0, 0, 0], "a size below 1"),
        ([1, -1, 0, 1, 0, 0, 0], "a size below 0"),
        ([1, 0, 0, 2, 0, 0, 0], "groups"),
        ([1, 0, 0, 1, 1, 0, 0], "another number of arrays"),
        ([1, 0, 0], "settings missing"),
        ([2**40, 0, 0, 1, 0, 0, 0], "2\\^31"),
        ([1, 2, 0, 1, 0, 0, 0], "a result of another size"),
    ],
)
def test_the_native_code_checks_its_arguments(settings, words):
    result = jax.ShapeDtypeStruct((2, 3, 3, 8), jnp.float32)
    call = jax.ffi.ffi_call("chainrule_convolution", result)
    with pytest.raises(REFUSED, match=words):
        call(
            normal(2, 5, 5, 3), normal(3, 3, 3, 8), settings=np.array(settings)
        ).block_until_ready()


def test_several_threads_at_once():
    names = ["3×3, Winograd", "stride 2", "depthwise", "1×1"]
    functions, expected = [], []
    for name in names:
        _, A_prev, W, b, _, how = case(name)
        functions.append(partial(jax.jit(partial(native.conv_forward, **how)), A_prev, W, b))
        expected.append(np.asarray(functions[-1]()))
    wrong = []

    def work(start: int):
        for turn in range(50):
            i = (start + turn) % len(names)
            if not np.array_equal(functions[i](), expected[i]):
                wrong.append(names[i])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_ten_thousand_shapes_leak_no_memory():
    def run(shapes: range) -> int:
        for k in shapes:
            way = ("forward", "input_gradient", "filter_gradient")[k % 3]
            n_H, n_W, n_C_prev = 1 + k % 20, 1 + k // 20 % 25, 1 + k // 500
            arrays = [
                np.ones(shape, np.float32)
                for shape in ((1, n_H, n_W, n_C_prev), (1, 1, n_C_prev, 2), (1, n_H, n_W, 2))
            ]
            NATIVE.convolve(way, *arrays, [1, 0, 0, 1])
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * 4096

    first = run(range(2_000))  # the cache is full
    then = run(range(2_000, 10_000))
    assert NATIVE.plans_kept() <= 512
    assert then - first < 20e6
