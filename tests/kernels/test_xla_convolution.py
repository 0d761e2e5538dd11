"""Compare the CPU versions in chainrule/kernels/xla_convolution.py with XLA's convolutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels import xla_convolution as xla

rng = np.random.default_rng(0)


def example(image, W, s, pads, groups):
    """Return A_prev, W, dZ, and the settings of each of the three functions."""
    n_H, n_W = ((n + sum(pads) - f) // s + 1 for n, f in zip(image[1:3], W[:2], strict=True))
    arrays = [rng.standard_normal(shape) for shape in (image, W, (image[0], n_H, n_W, W[3]))]
    geometry = {"s": s, "pads": pads, "groups": groups}
    sizes = {"n_H_prev": image[1], "n_W_prev": image[2]}
    return *map(jnp.asarray, arrays), geometry, sizes, {"f_H": W[0], "f_W": W[1]}


def all_three(A_prev, W, dZ, geometry, sizes, filters):
    """Return Z, dA_prev and dW."""
    return (
        xla.forward(A_prev, W, **geometry),
        xla.input_gradient(dZ, W, **sizes, **geometry),
        xla.filter_gradient(A_prev, dZ, **filters, **geometry),
    )


DEPTHWISE = [
    ((2, 5, 4, 3), (3, 3, 1, 3), 1, (1, 1), 3),
    ((2, 6, 5, 2), (3, 3, 1, 2), 2, (0, 1), 2),
    ((1, 4, 4, 2), (2, 2, 1, 2), 3, (0, 0), 2),  # a stride larger than f
    ((1, 4, 3, 2), (3, 3, 1, 2), 1, (4, 3), 2),  # a border wider than the filter
    ((2, 4, 5, 2), (3, 1, 1, 2), 1, (0, 0), 2),  # not square
]
PLAIN = [
    ((2, 4, 5, 16), (3, 3, 16, 32), 1, (1, 1), 1),
    ((2, 5, 4, 32), (2, 2, 32, 16), 2, (0, 1), 1),
    ((1, 4, 4, 32), (1, 1, 32, 16), 3, (0, 0), 1),
]
LARGE = [  # many positions, or a large filter
    ((1, 9, 8, 4), (3, 3, 4, 2), 1, (1, 1), 1),
    ((1, 6, 6, 2), (5, 5, 2, 3), 1, (2, 2), 1),
]
MANY = ((6, 16, 16, 2), (3, 3, 2, 3), 1, (1, 1), 1)  # dW is the sum over two groups of images
GENERAL = [
    ((2, 5, 4, 3), (3, 3, 3, 2), 1, (1, 1), 1),
    ((1, 5, 4, 1), (3, 3, 1, 1), 2, (1, 0), 1),  # one channel
    ((2, 4, 4, 4), (2, 2, 2, 6), 1, (0, 1), 2),  # two groups
    ((2, 4, 4, 2), (2, 2, 1, 4), 2, (1, 1), 2),  # two filters for each channel
]


def drawn(seed: int):
    """Return an image, filters, a stride and a border drawn at random."""
    some = np.random.default_rng(seed)
    f_H, f_W, s, n_C_prev, n_C = (int(x) for x in some.integers(1, (5, 5, 4, 5, 5)))
    pads = tuple(int(x) for x in some.integers(0, 5, 2))
    n_H, n_W = (int(max(f - sum(pads), 1) + some.integers(0, 9)) for f in (f_H, f_W))
    depthwise = n_C_prev > 1 and bool(some.integers(2))
    W = (f_H, f_W, 1, n_C_prev) if depthwise else (f_H, f_W, n_C_prev, n_C)
    return (2, n_H, n_W, n_C_prev), W, s, pads, n_C_prev if depthwise else 1


DRAWN = [drawn(seed) for seed in range(12)]


@pytest.mark.parametrize("case", DEPTHWISE + PLAIN + LARGE + [MANY] + DRAWN, ids=str)
def test_the_own_computation_matches_xla(case, monkeypatch):
    inputs = example(*case)
    ours = all_three(*inputs)
    monkeypatch.setattr(xla, "on_cpu", lambda: False)
    for got, want in zip(ours, all_three(*inputs), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("case", [DEPTHWISE[0], PLAIN[0], MANY], ids=str)
def test_sums_in_bfloat16_are_as_good_as_those_of_float32(case):
    A_prev, W, dZ, *settings = example((256, *case[0][1:]), *case[1:])
    arrays = [jnp.abs(x).astype(jnp.bfloat16) for x in (A_prev, W, dZ)]
    whole = all_three(*(x.astype(jnp.float32) for x in arrays), *settings)
    for got, want in zip(all_three(*arrays, *settings), whole, strict=True):
        assert got.dtype == jnp.bfloat16
        np.testing.assert_allclose(got.astype(jnp.float32), want, rtol=2**-8)


@pytest.mark.parametrize("case", GENERAL + DEPTHWISE[1:3] + PLAIN[1:], ids=str)
def test_the_gradients_match_those_of_xla(case, monkeypatch):
    monkeypatch.setattr(xla, "on_cpu", lambda: False)
    A_prev, W, dZ, geometry, sizes, filters = example(*case)
    _, dA_prev, dW = all_three(A_prev, W, dZ, geometry, sizes, filters)
    _, pull = jax.vjp(lambda A_prev, W: xla.forward(A_prev, W, **geometry), A_prev, W)
    for got, want in zip((dA_prev, dW), pull(dZ), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)


def programs(case) -> list[str]:
    """Return the programs of the three functions as JAX prints them."""
    A_prev, W, dZ, geometry, sizes, filters = example(*case)
    return [
        str(jax.make_jaxpr(lambda A, W: xla.forward(A, W, **geometry))(A_prev, W)),
        str(jax.make_jaxpr(lambda d, W: xla.input_gradient(d, W, **sizes, **geometry))(dZ, W)),
        str(
            jax.make_jaxpr(lambda A, d: xla.filter_gradient(A, d, **filters, **geometry))(
                A_prev, dZ
            )
        ),
    ]


@pytest.mark.parametrize(
    ("case", "own"),
    [
        *((case, [False, False, False]) for case in DEPTHWISE + PLAIN + GENERAL[:2]),
        *((case, [True, True, False]) for case in LARGE),
        *((case, [True, True, True]) for case in GENERAL[2:]),
    ],
    ids=str,
)
def test_which_cases_are_left_to_xla(case, own, monkeypatch):
    assert ["conv_general_dilated" in program for program in programs(case)] == own
    monkeypatch.setattr(xla, "on_cpu", lambda: False)
    assert all("conv_general_dilated" in program for program in programs(case))
