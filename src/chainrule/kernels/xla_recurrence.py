"""The loops of recurrent layers over time, by XLA.

Before these loops, `blocks/` compute the products of the inputs of all steps, and after them the
gradients of the weights, as one large product each: a loop contains what depends on the step
before. Steps are rows here, one per example:

    Z (T, m, k n_a)     W_x X[t] of the k gates, without b
    W_a (k n_a, n_a)    the part of W that multiplies the step before; b (1, k n_a)
    A (T, m, n_a)       the results of all steps
    real (T, m, 1)      which steps are real, or None if all are

At a step that is not real the result is 0, the state stays as it is, and its gradient passes
unchanged. With `reverse`, the loop starts at the last step.

What makes the loops fast on a CPU (docs/experiments.md, "Recurrent layers"):

- With examples as rows, no matrix is transposed inside a loop.
- The forward loop overwrites Z with the slopes that dZ is a multiple of, and the backward loop of
  the LSTM overwrites the slopes with dZ: less memory to pass through, which does not fit into the
  cache. (In the other backward loops XLA would copy all steps at each step, for some sizes.)
- Each gate of a step is read by a slice of its own, since XLA does not vectorise a loop that reads
  one dynamic slice at two places.
- σ(z) is computed as ½ + ½ tanh(½ z), so that one pass serves all gates.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from chainrule.kernels.rows import stored

Real = Bool[Array, "T m 1"] | None

# The basic recurrent layer


@partial(jax.jit, static_argnames=("g", "reverse"), inline=True)
def rnn_forward(
    Z: Float[Array, "T m n_a"],
    W_a: Float[Array, "n_a n_a"],
    b: Float[Array, "1 n_a"],
    a0: Float[Array, "m n_a"],
    real: Real,
    *,
    g: str,
    reverse: bool,
) -> Float[Array, "T m n_a"]:
    """Return A[t] = g(Z[t] + W_a A[t−1] + b)."""
    V, activation = stored(W_a.T), {"tanh": jnp.tanh, "relu": jax.nn.relu}[g]

    def step(t, carry):
        a_prev, A = carry
        a = activation(_at(A, t) + a_prev @ V + b)
        a, result = _held(real, t, a, a_prev)
        return a, _put(A, result, t)

    return _loop(step, (a0, Z), reverse)[1]


@partial(jax.jit, static_argnames=("g", "reverse"), inline=True)
def rnn_backward(
    dA: Float[Array, "T m n_a"],
    A: Float[Array, "T m n_a"],
    W_a: Float[Array, "n_a n_a"],
    real: Real,
    *,
    g: str,
    reverse: bool,
) -> tuple[Float[Array, "T m n_a"], Float[Array, "m n_a"]]:
    """Return dZ and da0."""
    dA = _mask(dA, real)

    def step(t, carry):
        da, dZ = carry
        a, da = _at(A, t), da + _at(dA, t)
        dz = da * (1 - a * a) if g == "tanh" else jnp.where(a > 0, da, 0)
        dz = _only_real(real, t, dz)
        return _passed(real, t, dz @ W_a, da), _put(dZ, dz, t)

    da0, dZ = _loop(step, (jnp.zeros_like(dA[0]), jnp.zeros_like(dA)), not reverse)
    return dZ, da0


# LSTM


class LSTMSlopes(NamedTuple):
    """What the gradients of a step are multiples of.

    slopes     (T, m, 4 n_a): dZ is dc ⊙ those of Γu, Γf and c̃, and da ⊙ that of Γo
    of_output  Γo ⊙ (1 − tanh(c)²), by which da reaches c
    forget     Γf, by which dc reaches the step before
    """

    slopes: Float[Array, "T m k"]
    of_output: Float[Array, "T m n_a"]
    forget: Float[Array, "T m n_a"]


@partial(jax.jit, static_argnames="reverse", inline=True)
def lstm_forward(
    Z: Float[Array, "T m k"],
    W_a: Float[Array, "k n_a"],
    b: Float[Array, "1 k"],
    a0: Float[Array, "m n_a"],
    c0: Float[Array, "m n_a"],
    real: Real,
    *,
    reverse: bool,
) -> tuple[Float[Array, "T m n_a"], Float[Array, "T m n_a"], LSTMSlopes]:
    """Return A, C and the slopes for `lstm_backward`."""
    n = a0.shape[1]
    V, half = stored(W_a.T), _halves(3, 1, n, Z)

    def step(t, carry):
        a_prev, c_prev, slopes, of_output, forgets, A, C = carry
        G = jnp.tanh(half * (_at(slopes, t) + a_prev @ V + b))
        update, forget, output = (0.5 + 0.5 * G[:, i * n : (i + 1) * n] for i in range(3))
        candidate = G[:, 3 * n :]
        c = update * candidate + forget * c_prev
        tanh_c = jnp.tanh(c)
        new_slopes = (
            candidate * update * (1 - update),
            c_prev * forget * (1 - forget),
            tanh_c * output * (1 - output),
            update * (1 - candidate * candidate),
        )
        a, a_result = _held(real, t, output * tanh_c, a_prev)
        c, c_result = _held(real, t, c, c_prev)
        for i, slope in enumerate(new_slopes):
            slopes = _put(slopes, _only_real(real, t, slope), t, i * n)
        of_output = _put(of_output, _only_real(real, t, output * (1 - tanh_c * tanh_c)), t)
        forgets = _put(forgets, _only_real(real, t, forget, 1), t)
        return a, c, slopes, of_output, forgets, _put(A, a_result, t), _put(C, c_result, t)

    empty = jnp.zeros((*Z.shape[:2], n), Z.dtype)
    carry = _loop(step, (a0, c0, Z, empty, empty, empty, empty), reverse)
    _, _, slopes, of_output, forgets, A, C = carry
    return A, C, LSTMSlopes(slopes, of_output, forgets)


@partial(jax.jit, static_argnames="reverse", inline=True)
def lstm_backward(
    dA: Float[Array, "T m n_a"],
    dC: Float[Array, "T m n_a"],
    kept: LSTMSlopes,
    W_a: Float[Array, "k n_a"],
    real: Real,
    *,
    reverse: bool,
) -> tuple[Float[Array, "T m k"], Float[Array, "m n_a"], Float[Array, "m n_a"]]:
    """Return dZ, da0 and dc0."""
    n = dA.shape[2]
    dA, dC = _mask(dA, real), _mask(dC, real)

    def step(t, carry):
        da, dc, D = carry
        da = da + _at(dA, t)
        dc = dc + _at(dC, t) + da * _at(kept.of_output, t)
        pairs = enumerate((dc, dc, da, dc))
        dz = jnp.concatenate([d * _at(D, t, i * n, n) for i, d in pairs], axis=1)
        return _passed(real, t, dz @ W_a, da), dc * _at(kept.forget, t), _put(D, dz, t)

    zero = jnp.zeros_like(dA[0])
    da0, dc0, dZ = _loop(step, (zero, zero, kept.slopes), not reverse)
    return dZ, da0, dc0


# GRU


class GRUSlopes(NamedTuple):
    """What the gradients of a step are multiples of, and other values of all steps.

    slopes  (T, m, k n_a), for the rows of the gates: dz of Γu and c̃ is dc ⊙ its slope, and that of
            Γr is q ⊙ its slope, where q = W_cᵀ dz of c̃ (before), or the dz of c̃ itself (after)
    stay    1 − Γu, by which dc reaches the step before
    reset   Γr, or None without it; by which the gradient of what it multiplies reaches its input
    input   Γr ⊙ c_prev, which is the input of c̃ (before), or None
    """

    slopes: Float[Array, "T m k"]
    stay: Float[Array, "T m n_a"]
    reset: Any
    input: Any


@partial(jax.jit, static_argnames=("reset", "reverse"), inline=True)
def gru_forward(
    Z: Float[Array, "T m k"],
    W_a: Float[Array, "k n_a"],
    b: Float[Array, "1 k_b"],
    c0: Float[Array, "m n_a"],
    real: Real,
    *,
    reset: str,
    reverse: bool,
) -> tuple[Float[Array, "T m n_a"], GRUSlopes]:
    """Return C and the slopes for `gru_backward`; b has n_a more if `reset` is "after"."""
    n = c0.shape[1]
    gates = W_a.shape[0] - n  # the columns of the gates, before those of c̃
    b_gates, b_candidate, b_h = b[:, :gates], b[:, gates : gates + n], b[:, gates + n :]
    # XLA's fast product takes whole matrices, so each product has a matrix of its own.
    V = stored(W_a[:gates].T if reset == "before" else W_a.T)
    V_candidate = stored(W_a[gates:].T)

    def step(t, carry):
        c_prev, slopes, stays, resets, inputs, C = carry
        H = c_prev @ V
        G = 0.5 + 0.5 * jnp.tanh(0.5 * (_at(slopes, t, 0, gates) + H[:, :gates] + b_gates))
        z = _at(slopes, t, gates, n) + b_candidate
        update, r, factor = G[:, :n], G[:, n:], None
        if reset == "before":
            factor = c_prev
            z = z + (r * c_prev) @ V_candidate
        elif reset == "after":
            factor = H[:, gates:] + b_h
            z = z + r * factor
        else:
            z = z + H[:, gates:]
        candidate = jnp.tanh(z)
        c, result = _held(real, t, update * candidate + (1 - update) * c_prev, c_prev)
        new_slopes = [(candidate - c_prev) * update * (1 - update)]
        if factor is not None:
            new_slopes.append(factor * r * (1 - r))
            resets = _put(resets, r, t)
        if reset == "before":
            inputs = _put(inputs, _only_real(real, t, r * c_prev), t)
        new_slopes.append(update * (1 - candidate * candidate))
        for i, slope in enumerate(new_slopes):
            slopes = _put(slopes, _only_real(real, t, slope), t, i * n)
        stays = _put(stays, _only_real(real, t, 1 - update, 1), t)
        return c, slopes, stays, resets, inputs, _put(C, result, t)

    empty = jnp.zeros((*Z.shape[:2], n), Z.dtype)
    resets = None if reset == "none" else empty
    inputs = empty if reset == "before" else None
    carry = _loop(step, (c0, Z, empty, resets, inputs, empty), reverse)
    return carry[-1], GRUSlopes(*carry[1:-1])


@partial(jax.jit, static_argnames=("reset", "reverse"), inline=True)
def gru_backward(
    dC: Float[Array, "T m n_a"],
    kept: GRUSlopes,
    W_a: Float[Array, "k n_a"],
    real: Real,
    *,
    reset: str,
    reverse: bool,
) -> tuple[Float[Array, "T m k"], Float[Array, "T m n_a"] | None, Float[Array, "m n_a"]]:
    """Return dZ, dc0, and between them dH of H = W_c c_prev + b_h if `reset` is "after"."""
    n = dC.shape[2]
    gates = W_a.shape[0] - n
    dC = _mask(dC, real)
    W_gates, W_candidate = stored(W_a[:gates]), stored(W_a[gates:])
    slopes, resets = kept.slopes, kept.reset

    def step(t, carry):
        dc, dH, dZ = carry
        dc = dc + _at(dC, t)
        d_update, d_candidate = dc * _at(slopes, t, 0, n), dc * _at(slopes, t, gates, n)
        dc = dc * _at(kept.stay, t)
        if reset == "none":
            dz = jnp.concatenate([d_update, d_candidate], axis=1)
            return dc + dz @ W_a, dH, _put(dZ, dz, t)
        if reset == "before":
            q = d_candidate @ W_candidate
            d_gates = jnp.concatenate([d_update, q * _at(slopes, t, n, n)], axis=1)
            dc = dc + q * _at(resets, t) + d_gates @ W_gates
        else:
            d_gates = jnp.concatenate([d_update, d_candidate * _at(slopes, t, n, n)], axis=1)
            dh = d_candidate * _at(resets, t)
            dc = dc + jnp.concatenate([d_gates, dh], axis=1) @ W_a
            dH = _put(dH, dh, t)
        return dc, dH, _put(dZ, jnp.concatenate([d_gates, d_candidate], axis=1), t)

    dH = jnp.zeros_like(dC) if reset == "after" else None
    dc0, dH, dZ = _loop(step, (jnp.zeros_like(dC[0]), dH, jnp.zeros_like(slopes)), not reverse)
    return dZ, dH, dc0


# Steps


def _loop(step, carry: tuple, reverse: bool) -> tuple:
    """Call carry = step(t, carry) for each step t; the last array of the carry is (T, …)."""
    T = next(x.shape[0] for x in reversed(carry) if x is not None and x.ndim == 3)

    def numbered(i, carry):
        return step(T - 1 - i if reverse else i, carry)

    return jax.lax.fori_loop(0, T, numbered, carry)


def _at(X: Array, t, first: int = 0, size: int | None = None) -> Array:
    """Return X[t], or the columns of it from `first`."""
    size = X.shape[2] if size is None else size
    return jax.lax.dynamic_slice(X, (t, 0, first), (1, X.shape[1], size))[0]


def _put(X: Array, x: Array, t, first: int = 0) -> Array:
    """Return X with X[t] replaced by x, or the columns of it from `first`."""
    return jax.lax.dynamic_update_slice(X, x[None], (t, 0, first))


def _mask(X: Array, real: Real) -> Array:
    return X if real is None else jnp.where(real, X, 0)


def _only_real(real: Real, t, x: Array, otherwise: float = 0) -> Array:
    """Return x, with another number where step t is not real."""
    return x if real is None else jnp.where(_at(real, t), x, otherwise)


def _held(real: Real, t, x: Array, x_prev: Array) -> tuple[Array, Array]:
    """Return the state after step t and its result: x_prev and 0 where the step is not real."""
    if real is None:
        return x, x
    here = _at(real, t)
    return jnp.where(here, x, x_prev), jnp.where(here, x, 0)


def _passed(real: Real, t, dx_prev: Array, dx: Array) -> Array:
    """Return the gradient of the state before step t: dx where the step is not real."""
    return dx_prev if real is None else jnp.where(_at(real, t), dx_prev, dx)


def _halves(halved: int, whole: int, n: int, like: Array) -> Float[Array, "1 k"]:
    """Return the factors inside tanh: ½ for the first gates, and 1 for the others."""
    factors = [jnp.full((1, halved * n), 0.5, like.dtype), jnp.ones((1, whole * n), like.dtype)]
    return jnp.concatenate(factors, axis=1)
