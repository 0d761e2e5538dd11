"""Tests of chainrule/blocks/word_vectors.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.blocks.word_vectors import (
    analogy,
    cosine_similarity,
    cosine_similarity_backward,
    cosine_similarity_forward,
    equalize,
    glove_cost,
    glove_cost_backward,
    glove_cost_forward,
    glove_weight,
    negative_sampling_cost,
    negative_sampling_cost_backward,
    negative_sampling_cost_forward,
    neutralize,
    noise_distribution,
    skip_gram_cost,
    skip_gram_cost_backward,
    skip_gram_cost_forward,
)
from chainrule.errors import DataError, OptionError
from tests.gradients import assert_gradients

# Four words in three dimensions, five pairs: words and pairs occur twice.
CONTEXT, TARGET = jnp.array([0, 3, 3, 1, 0]), jnp.array([1, 0, 0, 1, 3])
NEGATIVES = jnp.array([[2, 2, 0, 1, 3], [0, 2, 1, 1, 2]])
COUNTS = jnp.array([3.0, 250.0, 1.0, 0.0, 40.0])


def plain_skip_gram(E, Theta):
    p = jax.nn.softmax(Theta.T @ E[:, CONTEXT], axis=0)
    return -jnp.log(p[TARGET, jnp.arange(5)]).mean()


def plain_negative_sampling(E, Theta):
    e_c = E[:, CONTEXT]
    L = -jnp.log(jax.nn.sigmoid((Theta[:, TARGET] * e_c).sum(axis=0)))
    for n in NEGATIVES:
        L -= jnp.log(jax.nn.sigmoid(-(Theta[:, n] * e_c).sum(axis=0)))
    return L.mean()


def plain_glove(E, Theta, b, b_prime):
    J = 0.0
    for i, j, X in zip(TARGET.tolist(), CONTEXT.tolist(), COUNTS.tolist(), strict=True):
        if X > 0:
            f = min(1.0, X / 100) ** 0.75
            J += f * (Theta[:, i] @ E[:, j] + b[i, 0] + b_prime[j, 0] - np.log(X)) ** 2
    return jnp.asarray(J) / 5


# By hand


def test_skip_gram_by_hand():
    """Two words in one dimension: z = 0 and log 3 for the context word 1, so A is 1/4 and 3/4."""
    E, Theta = jnp.array([[5.0, 1.0]]), jnp.array([[0.0, np.log(3)]])
    J, cache = skip_gram_cost_forward(E, Theta, jnp.array([1]), jnp.array([0]))
    np.testing.assert_allclose(J, np.log(4), rtol=1e-12)
    dE, dTheta = skip_gram_cost_backward(1.0, cache)  # dZ = −3/4, 3/4
    np.testing.assert_allclose(dE, [[0.0, 0.75 * np.log(3)]], rtol=1e-12)
    np.testing.assert_allclose(dTheta, [[-0.75, 0.75]], rtol=1e-12)


def test_negative_sampling_by_hand():
    """σ is 3/4 for the target 0, and 1/4 for the negative 1, which is drawn twice."""
    E, Theta = jnp.array([[5.0, 1.0]]), jnp.array([[np.log(3), -np.log(3)]])
    pair = jnp.array([1]), jnp.array([0]), jnp.array([[1], [1]])
    J, cache = negative_sampling_cost_forward(E, Theta, *pair)
    np.testing.assert_allclose(J, -3 * np.log(0.75), rtol=1e-12)
    dE, dTheta = negative_sampling_cost_backward(1.0, cache)
    np.testing.assert_allclose(dTheta, [[-0.25, 0.5]], rtol=1e-12)
    np.testing.assert_allclose(dE, [[0.0, -0.75 * np.log(3)]], rtol=1e-12)


def test_glove_by_hand():
    """X = e² of x_max = 4 e²: f = 1/2 with α = 1/2; the error is 2 · 3 + 1 − 1 − 2 = 4."""
    E, Theta = jnp.array([[0.0, 3.0]]), jnp.array([[2.0, 0.0]])
    b, b_prime = jnp.array([[1.0], [7.0]]), jnp.array([[7.0], [-1.0]])
    X = np.exp(2.0)
    J, cache = glove_cost_forward(
        E, Theta, b, b_prime, jnp.array([0]), jnp.array([1]), jnp.array([X]),
        x_max=4 * X, alpha=0.5,
    )  # fmt: skip
    np.testing.assert_allclose(J, 0.5 * 16, rtol=1e-12)
    dE, dTheta, db, db_prime = glove_cost_backward(1.0, cache)  # dz = 4
    np.testing.assert_allclose(dE, [[0.0, 8.0]], rtol=1e-12)
    np.testing.assert_allclose(dTheta, [[12.0, 0.0]], rtol=1e-12)
    np.testing.assert_allclose(db, [[4.0], [0.0]], rtol=1e-12)
    np.testing.assert_allclose(db_prime, [[0.0], [4.0]], rtol=1e-12)


def test_glove_weight_and_noise_by_hand():
    np.testing.assert_allclose(glove_weight(jnp.array([0, 1, 100, 500])), [0, 100**-0.75, 1, 1])
    p = noise_distribution(jnp.array([81, 1, 0]))
    np.testing.assert_allclose(p, [27 / 28, 1 / 28, 0], rtol=1e-6)


def test_cosine_similarity_by_hand():
    u, v = jnp.array([3.0, 4.0]), jnp.array([0.0, 2.0])
    s, cache = cosine_similarity_forward(u, v)
    np.testing.assert_allclose(s, 0.8, rtol=1e-12)
    du, dv = cosine_similarity_backward(1.0, cache)
    np.testing.assert_allclose(du, [(0 - 0.8 * 0.6) / 5, (1 - 0.8 * 0.8) / 5], rtol=1e-12)
    np.testing.assert_allclose(dv, [0.6 / 2, 0.0], rtol=1e-12, atol=1e-16)
    columns = cosine_similarity(jnp.eye(2), jnp.array([[1.0, -1.0], [0.0, 0.0]]))
    np.testing.assert_allclose(columns, [1.0, 0.0])


# Gradients


def vectors(getkey, *shapes):
    return [jax.random.normal(getkey(), shape) for shape in shapes]


def test_gradients_of_skip_gram(getkey):
    assert_gradients(
        lambda E, Theta: skip_gram_cost(E, Theta, CONTEXT, TARGET),
        plain_skip_gram,
        *vectors(getkey, (3, 4), (3, 4)),
        key=getkey(),
    )


def test_gradients_of_negative_sampling(getkey):
    assert_gradients(
        lambda E, Theta: negative_sampling_cost(E, Theta, CONTEXT, TARGET, NEGATIVES),
        plain_negative_sampling,
        *vectors(getkey, (3, 4), (3, 4)),
        key=getkey(),
    )


def test_gradients_of_glove(getkey):
    assert_gradients(
        lambda *theta: glove_cost(*theta, TARGET, CONTEXT, COUNTS),
        plain_glove,
        *vectors(getkey, (3, 4), (3, 4), (4, 1), (4, 1)),
        key=getkey(),
    )


def test_gradients_of_cosine_similarity(getkey):
    def plain(u, v):
        return (u * v).sum(0) / jnp.sqrt((u**2).sum(0) * (v**2).sum(0))

    assert_gradients(cosine_similarity, plain, *vectors(getkey, (3, 4), (3, 4)), key=getkey())


# Properties


def test_softmax_and_negative_sampling_learn_the_frequencies_first():
    """With Theta = 0, e = 1 and all words as negatives, every A is 1/4 and every σ 1/2."""
    E, Theta = jnp.ones((1, 4)), jnp.zeros((1, 4))
    frequency = np.array([[0.4, 0.4, 0.0, 0.2]])
    d_softmax = jax.grad(skip_gram_cost, 1)(E, Theta, CONTEXT, TARGET)
    np.testing.assert_allclose(d_softmax, 1 / 4 - frequency, rtol=1e-12)
    every = jnp.broadcast_to(jnp.arange(4)[:, None], (4, 5))
    d_sampled = jax.grad(negative_sampling_cost, 1)(E, Theta, CONTEXT, TARGET, every)
    np.testing.assert_allclose(d_sampled, (1 - frequency) / 2, rtol=1e-12)


def test_glove_ignores_pairs_that_never_occur():
    """X = 0 has no logarithm, and weight 0."""
    E, Theta, b = jnp.ones((2, 4)), jnp.ones((2, 4)), jnp.ones((4, 1))
    zero = jnp.zeros(5)
    J, gradients = jax.value_and_grad(glove_cost, (0, 1, 2, 3))(
        E, Theta, b, b, TARGET, CONTEXT, zero
    )
    assert J == 0
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))
    counts = jnp.array([3, 250, 1, 0, 40], jnp.int32)  # whole numbers are counts as well
    np.testing.assert_allclose(
        glove_cost(E, Theta, b, b, TARGET, CONTEXT, counts),
        glove_cost(E, Theta, b, b, TARGET, CONTEXT, COUNTS),
    )


jit_similarity = jax.jit(jax.value_and_grad(cosine_similarity, (0, 1)))
numbers = st.floats(-1e3, 1e3, allow_subnormal=False)


@settings(max_examples=40, deadline=None)
@given(u=arrays(float, 3, elements=numbers), v=arrays(float, 3, elements=numbers))
def test_similarity_is_from_minus_1_to_1_and_does_not_depend_on_lengths(u, v):
    s, (du, dv) = jit_similarity(u, v)
    assert abs(s) <= 1 + 1e-12
    np.testing.assert_allclose(jit_similarity(1e-3 * u, 50 * v)[0], s, atol=1e-12)
    np.testing.assert_allclose(jit_similarity(v, u)[0], s, atol=1e-12)
    assert np.isfinite(du).all()
    assert np.isfinite(dv).all()
    np.testing.assert_allclose(u @ du, 0, atol=1e-12)  # a longer u changes nothing


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e30])
def test_similarity_of_vectors_of_any_length(size):
    u, v = jnp.array([3.0, 4.0, 0.0]) * size, jnp.array([0.0, 2.0, 0.0])
    s, gradients = jit_similarity(u, v)
    np.testing.assert_allclose(s, 0.8 if size else 0.0, rtol=1e-6)
    assert all(np.isfinite(d).all() for d in gradients)


# Analogies

WORDS = ["man", "woman", "king", "queen", "prince", "princess", "apple"]
E = jnp.array(
    [
        [1.0, -1.0, 1.1, -0.9, 1.0, -1.0, 0.1],  # gender
        [0.0, 0.1, 2.0, 1.9, 1.2, 1.0, 0.0],  # royal
        [0.3, 0.3, 0.5, 0.6, -1.0, -1.1, 0.0],  # age
        [0.0, 0.0, 0.1, 0.0, 0.0, 0.1, 2.0],  # food
    ]
)


@pytest.mark.parametrize("method", ["sum", "difference"])
def test_analogies(method):
    assert analogy(E, WORDS, "man", "woman", "king", method=method) == "queen"
    assert analogy(E, WORDS, "king", "queen", "prince", method=method) == "princess"
    assert analogy(E, WORDS, "king", "prince", "queen", method=method) == "princess"


def test_sum_is_the_formula_of_the_lecture_and_difference_that_of_the_exercise():
    a, b, c = (E[:, WORDS.index(w)] for w in ("man", "king", "woman"))
    sums = [cosine_similarity(e, b - a + c) for e in E.T]
    differences = [cosine_similarity(e - c, b - a) for e in E.T]
    for method, s in (("sum", sums), ("difference", differences)):
        every = analogy(E, WORDS, "man", "king", "woman", method=method, exclude=())
        assert every == WORDS[int(np.argmax(s))]


def test_excluded_words_are_no_answers():
    given = ("man", "woman", "king")
    assert analogy(E, WORDS, *given, exclude=["queen"]) not in ("queen", "apple")
    assert analogy(E, WORDS, *given, exclude=["queen", *given]) == "princess"
    assert analogy(E, WORDS, "man", "man", "king", exclude=()) == "king"


def test_analogy_names_a_word_without_a_vector():
    with pytest.raises(DataError) as error:
        analogy(E, WORDS, "man", "womn", "king")
    assert str(error.value).startswith(
        "analogy(b=…): expected a word that has a vector; got 'womn'.\n"
        "Try woman (did you mean that?); the choices are man"
    )
    with pytest.raises(OptionError, match=r"^analogy\(method=…\): expected one of 2 choices"):
        analogy(E, WORDS, "man", "woman", "king", method="product")
    with pytest.raises(DataError, match=r"^analogy\(exclude=…\): expected fewer words"):
        analogy(E, WORDS, "man", "woman", "king", exclude=WORDS)


# Removing a bias


def test_neutralize_by_hand():
    g = jnp.array([0.0, 3.0, 4.0])
    e = jnp.array([7.0, 5.0, 0.0])  # its part along g is 3
    np.testing.assert_allclose(neutralize(e, g), [7.0, 5 - 1.8, -2.4], rtol=1e-12)
    np.testing.assert_array_equal(neutralize(e, jnp.zeros(3)), e)
    columns = neutralize(jnp.stack([e, 2 * e], axis=1), g)
    np.testing.assert_allclose(columns[:, 1], 2 * neutralize(e, g), rtol=1e-12)


def test_equalize_by_hand():
    """μ = (0.8, 0.4), ν = (0.8, 0): both get ±0.6 along g."""
    g = jnp.array([0.0, 5.0])
    e1, e2 = equalize(jnp.array([0.6, 0.8]), jnp.array([1.0, 0.0]), g)
    np.testing.assert_allclose(e1, [0.8, 0.6], rtol=1e-12)
    np.testing.assert_allclose(e2, [0.8, -0.6], rtol=1e-12)
    e1, e2 = equalize(jnp.array([0.6, 0.8]), jnp.array([1.0, 0.0]), -g)  # the sides stay
    np.testing.assert_allclose(e1, [0.8, 0.6], rtol=1e-12)


three = arrays(float, 3, elements=st.floats(-10, 10, allow_subnormal=False))


@settings(max_examples=60, deadline=None)
@given(e1=three, e2=three, g=three, x=three)
def test_equalized_words_have_the_same_distance_from_a_neutral_word(e1, e2, g, x):
    if np.linalg.norm(g) < 1e-3:
        return
    new1, new2 = (np.asarray(e) for e in equalize(e1, e2, g))
    direction = g / np.linalg.norm(g)
    neutral = np.asarray(neutralize(x, g))
    np.testing.assert_allclose(neutral @ direction, 0, atol=1e-12)
    np.testing.assert_allclose(neutralize(neutral, g), neutral, atol=1e-12)
    np.testing.assert_allclose(
        np.linalg.norm(new1 - neutral), np.linalg.norm(new2 - neutral), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(new1 @ direction, -new2 @ direction, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(new1), np.linalg.norm(new2), atol=1e-9)
    if abs((e1 - e2) @ direction) > 1e-9:  # no part of the length is lost
        lengths = np.sqrt((e1 @ e1 + e2 @ e2) / 2)
        np.testing.assert_allclose(np.linalg.norm(new1), lengths, rtol=1e-9)
        assert ((new1 - new2) @ direction > 0) == ((e1 - e2) @ direction > 0)


def test_vectors_of_length_1_stay_so(getkey):
    e1, e2, g = vectors(getkey, (50,), (50,), (50,))
    e1, e2 = e1 / jnp.linalg.norm(e1), e2 / jnp.linalg.norm(e2)
    for e in equalize(e1, e2, g):
        np.testing.assert_allclose(jnp.linalg.norm(e), 1, rtol=1e-12)
