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
GENERAL = [
    ((2, 5, 4, 3), (3, 3, 3, 2), 1, (1, 1), 1),
    ((1, 5, 4, 1), (3, 3, 1, 1), 2, (1, 0), 1),  # one channel
    ((2, 4, 4, 4), (2, 2, 2, 6), 1, (0, 1), 2),  # two groups
    ((2, 4, 4, 2), (2, 2, 1, 4), 2, (1, 1), 2),  # two filters for each channel
]


@pytest.mark.parametrize("case", DEPTHWISE + PLAIN, ids=str)
def test_the_own_computation_matches_xla(case, monkeypatch):
    inputs = example(*case)
    ours = all_three(*inputs)
    monkeypatch.setattr(xla, "on_cpu", lambda: False)
    for got, want in zip(ours, all_three(*inputs), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)


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
        (DEPTHWISE[0], [False, False, False]),
        (DEPTHWISE[1], [False, True, False]),  # dZ spread out by a stride is left to XLA
        (DEPTHWISE[3], [False, True, False]),
        *((case, [True, True, False]) for case in PLAIN + GENERAL[:2]),
        *((case, [True, True, True]) for case in GENERAL[2:]),
    ],
    ids=str,
)
def test_which_cases_are_left_to_xla(case, own, monkeypatch):
    assert ["conv_general_dilated" in program for program in programs(case)] == own
    monkeypatch.setattr(xla, "on_cpu", lambda: False)
    assert all("conv_general_dilated" in program for program in programs(case))
