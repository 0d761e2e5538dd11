"""Tests of chainrule/blocks/ctc.py."""

from functools import partial
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.blocks.ctc import (
    ctc_collapse,
    ctc_cost,
    ctc_cost_backward,
    ctc_cost_forward,
    ctc_greedy,
    ctc_least_steps,
)
from chainrule.errors import ShapeError
from tests.compilations import compilations
from tests.gradients import assert_gradients

TORCH = np.load(Path(__file__).with_name("ctc_of_torch.npz"))  # by tests/validation/ctc_of_torch.py

# Four steps, three classes, three examples; the second has two equal labels, the third none.
LABELS = jnp.array([[1, 2, -1], [2, 2, 7]], jnp.int32)
LENGTHS, LABEL_LENGTHS = jnp.array([4, 3, 2], jnp.int32), jnp.array([2, 2, 0], jnp.int32)


def plain_ctc(Z, labels, lengths, label_lengths, blank=0):
    """Add up the probabilities of all paths that collapse to the labels: C^T of them."""
    _, C, m = Z.shape
    labels, lengths, label_lengths = map(np.asarray, (labels, lengths, label_lengths))
    log_A = jax.nn.log_softmax(Z, axis=1)
    total = jnp.zeros((), Z.dtype)
    for i in range(m):
        want = labels[: label_lengths[i], i].tolist()
        paths = product(range(C), repeat=lengths[i])
        paths = np.array([p for p in paths if ctc_collapse(p, blank=blank) == want], int)
        steps = np.arange(lengths[i])
        total -= jax.nn.logsumexp(log_A[steps[None], paths, i].sum(axis=1))
    return total / m


# By hand


def test_two_steps_by_hand():
    """The paths aa, -a and a- have the probabilities 0.28, 0.42 and 0.12."""
    Z = jnp.log(jnp.array([[0.6, 0.4], [0.3, 0.7]]))[:, :, None]
    J, cache = ctc_cost_forward(Z, jnp.array([[1]]), jnp.array([2]), jnp.array([1]))
    np.testing.assert_allclose(J, -np.log(0.82), rtol=1e-12)
    dZ = ctc_cost_backward(1.0, cache)
    at_a = np.array([0.28 + 0.12, 0.28 + 0.42]) / 0.82  # γ of a, at the steps 0 and 1
    np.testing.assert_allclose(dZ[:, 1, 0], np.array([0.4, 0.7]) - at_a, rtol=1e-12)
    np.testing.assert_allclose(dZ[:, 0, 0], np.array([0.6, 0.3]) - (1 - at_a), rtol=1e-12)


def test_equal_labels_need_a_blank_between_them():
    """In three steps, only a-a collapses to aa."""
    Z = jnp.log(jnp.array([[0.5, 0.5], [0.2, 0.8], [0.1, 0.9]]))[:, :, None]
    labels, two = jnp.array([[1], [1]]), jnp.array([2])
    J = ctc_cost(Z, labels, jnp.array([3]), two)
    np.testing.assert_allclose(J, -np.log(0.5 * 0.2 * 0.9), rtol=1e-12)


# Gradients


def test_all_paths(getkey):
    """The cost and its gradient are those of all paths, with unequal lengths."""
    rest = (LABELS, LENGTHS, LABEL_LENGTHS)
    Z = 2 * jax.random.normal(getkey(), (4, 3, 3))
    assert_gradients(lambda Z: ctc_cost(Z, *rest), lambda Z: plain_ctc(Z, *rest), Z, key=getkey())


def test_all_paths_with_another_blank(getkey):
    labels = jnp.array([[1, 0, 3], [0, 0, 3]])
    rest = (labels, LENGTHS.astype(int), LABEL_LENGTHS.astype(int))
    Z = 2 * jax.random.normal(getkey(), (4, 3, 3))
    plain = partial(plain_ctc, blank=2)
    assert_gradients(
        lambda Z: ctc_cost(Z, *rest, blank=2), lambda Z: plain(Z, *rest), Z, key=getkey()
    )


@pytest.mark.parametrize("name", ["unequal", "blank_last", "long"])
def test_equals_pytorch(name):
    Z, L, dZ, labels, lengths, label_lengths, blank = (
        TORCH[f"{name}/{key}"]
        for key in ("Z", "L", "dZ", "labels", "lengths", "label_lengths", "blank")
    )
    rest = (labels, lengths, label_lengths)
    assert np.isinf(L[1])
    assert not np.isinf(np.delete(L, 1)).any()
    assert (label_lengths[0], len(set(lengths))) == (0, len(set(lengths)))

    @jax.jit
    def losses_and_gradient(Z):
        one = jax.vmap(
            lambda *inputs: ctc_cost(
                inputs[0][..., None],
                inputs[1][:, None],
                *(x[None] for x in inputs[2:]),
                blank=int(blank),
            ),
            in_axes=(2, 1, 0, 0),
        )
        return one(Z, *rest), jax.grad(partial(ctc_cost, blank=int(blank)))(Z, *rest)

    got, gradient = losses_and_gradient(Z)
    np.testing.assert_allclose(got, L, rtol=1e-10)
    np.testing.assert_allclose(gradient, dZ, rtol=1e-10, atol=1e-13)


# Properties

jit_cost = jax.jit(jax.value_and_grad(ctc_cost))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(3)))
def test_what_does_not_matter(seed, order):
    """Not what lies beyond a length, not the order of the examples, not a constant added to Z."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((4, 3, 3))
    lengths = rng.integers(2, 5, 3).astype(np.int32)
    label_lengths = rng.integers(0, 3, 3).astype(np.int32)
    labels = rng.integers(1, 3, (2, 3)).astype(np.int32)
    J, dZ = jit_cost(Z, labels, lengths, label_lengths)
    beyond = np.arange(4)[:, None] >= lengths[None]
    changed = np.where(beyond[:, None], np.nan, Z + rng.standard_normal((4, 1, 3)))
    unused = np.arange(2)[:, None] >= label_lengths[None]
    labels = np.where(unused, rng.integers(-9, 99, (2, 3)).astype(np.int32), labels)
    J_changed, dZ_changed = jit_cost(
        changed[..., order], labels[:, order], lengths[order], label_lengths[order]
    )
    np.testing.assert_allclose(J_changed, J, rtol=1e-12)
    np.testing.assert_allclose(dZ_changed, dZ[..., order], rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(np.where(beyond[:, None], dZ, 0), np.zeros_like(dZ))
    np.testing.assert_allclose(dZ.sum(axis=1), np.zeros((4, 3)), atol=1e-14)


def test_too_few_steps_cost_infinity_and_have_no_gradient(getkey):
    """aa needs three steps; the other example still learns."""
    Z = jax.random.normal(getkey(), (4, 3, 3))
    labels = jnp.array([[1, 1, 1], [1, 2, 1]], jnp.int32)
    lengths, two = jnp.array([2, 2, 3], jnp.int32), jnp.array([2, 2, 2], jnp.int32)
    assert ctc_least_steps(labels, two).tolist() == [3, 2, 3]
    J, dZ = jit_cost(Z, labels, lengths, two)
    assert np.isposinf(J)
    np.testing.assert_array_equal(dZ[..., 0], np.zeros((4, 3)))
    assert np.isfinite(dZ).all()
    for i in (1, 2):
        alone = np.full(3, i)
        _, one = jit_cost(Z[..., alone], labels[:, alone], lengths[alone], two)
        np.testing.assert_allclose(dZ[..., i], one[..., 0], rtol=1e-12)


def test_the_least_steps_are_enough(getkey):
    """At that length one path is left, one step below it none."""
    labels = jnp.array([[1, 1], [1, 2]], jnp.int32)
    two = jnp.array([2, 2], jnp.int32)
    least = ctc_least_steps(labels, two)
    Z = jax.random.normal(getkey(), (4, 3, 2))
    cost = jax.jit(ctc_cost)
    assert np.isfinite(cost(Z, labels, least, two))
    for i in range(2):
        assert np.isposinf(cost(Z, labels, least.at[i].add(-1), two))
    one = jnp.array([[1, 2]], jnp.int32)
    assert ctc_least_steps(one, jnp.array([1, 0])).tolist() == [1, 0]


def test_without_steps_and_without_labels(getkey):
    """The empty path is the only one: it has no labels, with certainty."""
    Z = jax.random.normal(getkey(), (4, 3, 3))
    J, dZ = jit_cost(Z, LABELS, jnp.array([0, 0, 4], jnp.int32), jnp.array([0, 1, 0], jnp.int32))
    assert np.isposinf(J)  # of the second example: no step for a label
    np.testing.assert_array_equal(dZ[..., :2], np.zeros((4, 3, 2)))
    none = jnp.zeros((0, 3), jnp.int32)
    J = ctc_cost(Z, none, jnp.array([4, 2, 0], jnp.int32), jnp.zeros(3, jnp.int32))
    log_A = jax.nn.log_softmax(Z, axis=1)[:, 0]
    np.testing.assert_allclose(J, -(log_A[:, 0].sum() + log_A[:2, 1].sum()) / 3, rtol=1e-12)


@pytest.mark.usefixtures("float32_world")
def test_a_thousand_steps_are_exact_in_float32():
    """The error would be ten times as large if α and β did not stay near 0."""
    rng = np.random.default_rng(0)
    Z, labels = rng.standard_normal((1000, 5, 2)), rng.integers(1, 5, (40, 2)).astype(np.int32)
    lengths, label_lengths = np.array([1000, 900], np.int32), np.array([40, 30], np.int32)
    Z = Z.astype(np.float32)
    J, dZ = jit_cost(Z, labels, lengths, label_lengths)
    assert (J.dtype, dZ.dtype) == (np.float32, np.float32)
    with jax.enable_x64(True):
        want, d_want = jit_cost(Z.astype(float), labels, lengths, label_lengths)
    np.testing.assert_allclose(J, want, rtol=1e-6)
    np.testing.assert_allclose(dZ, d_want, atol=3e-5)


def test_certain_outputs_do_not_underflow():
    """The path that the network is sure of is the only one that counts."""
    path = np.array([1, 1, 0, 2])
    Z = jnp.asarray(1e4 * np.eye(3)[path][..., None])
    four, two = jnp.array([4], jnp.int32), jnp.array([2], jnp.int32)
    J, dZ = jit_cost(Z, jnp.array([[1], [2]], jnp.int32), four, two)
    np.testing.assert_allclose(J, 0, atol=1e-12)
    np.testing.assert_allclose(dZ, np.zeros((4, 3, 1)), atol=1e-12)
    J, dZ = jit_cost(Z, jnp.array([[2], [1]], jnp.int32), four, two)
    np.testing.assert_allclose(J, 2e4, rtol=1e-12)  # the best path, 2 1 - -, agrees in two steps
    assert np.isfinite(dZ).all()


def test_a_second_call_compiles_nothing(getkey):
    """Also without jit."""
    Z = jax.random.normal(getkey(), (4, 3, 3))
    rest = (LABELS, LENGTHS, LABEL_LENGTHS)
    gradient = jax.grad(ctc_cost)
    gradient(Z, *rest)
    with compilations() as compiled:
        gradient(2 * Z, *rest)
    assert compiled == []


# From a path to its labels


def test_collapse():
    assert "".join(ctc_collapse("ttt_h_eee___ ___qqq__", blank="_")) == "the q"
    assert ctc_collapse([3, 3, 0, 3, 5, 5, 0, 0]) == [3, 3, 5]
    assert ctc_collapse(np.array([0, 0])) == []
    assert ctc_collapse([]) == []
    assert ctc_collapse([0, 7, 0, 2, 2], blank=7) == [0, 0, 2]


def test_greedy():
    path = np.array([[1, 1, 0, 1, 2], [0, 2, 2, 2, 2]]).T  # (T, m)
    Z = jnp.asarray(np.eye(3)[path].transpose(0, 2, 1))  # (T, C, m)
    assert ctc_greedy(Z) == [[1, 1, 2], [2]]
    assert ctc_greedy(Z, jnp.array([3, 1])) == [[1], []]
    assert ctc_greedy(Z, blank=2) == [[1, 0, 1], [0]]


def test_collapse_refuses_a_batch():
    with pytest.raises(ShapeError) as error:
        ctc_collapse(jnp.zeros((4, 2), int))
    assert str(error.value) == (
        "ctc_collapse(path): expected one path (T,); got several.\n"
        "Try a column: ctc_collapse(paths[:, i])."
    )
