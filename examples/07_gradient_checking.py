"""07: gradient checking finds a planted bug, and names the parameter.

Notes: "Numerical approximation of gradients", "Gradient checking", "Gradient checking
implementation notes" and the exercise "Gradient checking" (course 2, week 1).
The one-sided and the two-sided slope of θ³. Then a network 4-5-3-1 with tanh, whose backward
formulas are written here by hand: first correctly, then with one of six bugs. `check_parameters`
compares every dW and db with the slope of J.
Targets: at θ = 1 and ε = 0.01 the one-sided slope is 3.0301 and the two-sided slope 3.0001; the
right formulas pass at 1e-7; each bug is found, and exactly the parameters that it affects fail; a
bug that zeros hide is found from a random start; while dropout draws new masks a right gradient
does not pass; with a fixed mask, or without dropout, it does.
"""

from collections.abc import Callable
from itertools import count, pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule.blocks.block import as_block
from chainrule.blocks.dropout import dropout
from chainrule.gradcheck import GradientReport, check_parameters, relative_difference
from chainrule.inspection.example_plots import plot_curves
from chainrule.layers.dropout import dropout_mask

SIZES, M, LAMBDA, RIGHT = (4, 5, 3, 1), 3, 0.7, 1e-7
ALPHA, EPSILON = 0.1, 1e-5


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    one_side_or_two(example)
    the_bugs(example)
    random_start(example)
    dropout_off(example)
    example.finish()


def linear_forward(A_prev, W, b):
    """Z = W A_prev + b."""
    return W @ A_prev + b, (A_prev, W)


def linear_backward(dZ, cache):
    """dA_prev = Wᵀ dZ;  dW = dZ A_prevᵀ;  db = Σ dZ over the examples."""
    A_prev, W = cache
    return W.T @ dZ, dZ @ A_prev.T, dZ.sum(axis=1, keepdims=True)


def tanh_forward(Z):
    """A = tanh Z."""
    A = jnp.tanh(Z)
    return A, A


def tanh_backward(dA, A):
    """dZ = dA ⊙ (1 − A²)."""
    return dA * (1 - A**2)


def cost_forward(Z, Y):
    """J = (1/m) Σ log(1 + e^Z) − Y Z, the logistic cost."""
    return jnp.mean(jnp.log(1 + jnp.exp(Z)) - Y * Z), (Z, Y)


def cost_backward(dJ, cache):
    """dZ = (A − Y)/m."""
    Z, Y = cache
    return dJ * (jax.nn.sigmoid(Z) - Y) / M


def penalty_forward(W):
    """λ/(2m) ‖W‖²."""
    return LAMBDA / (2 * M) * (W**2).sum(), W


def penalty_backward(dJ, W):
    """dW = (λ/m) W."""
    return dJ * LAMBDA / M * W


def factor(dZ, cache):
    """Return a dW that is twice too large."""
    dA_prev, dW, db = linear_backward(dZ, cache)
    return dA_prev, 2 * dW, db


def wrong_axis(dZ, cache):
    """Sum db over the units; here they are as many as the examples, so its shape looks right."""
    dA_prev, dW, _ = linear_backward(dZ, cache)
    return dA_prev, dW, dZ.sum(axis=0)[:, None]


def weights_after_the_step(dZ, cache):
    """Compute dA_prev with the W that this step has already updated."""
    _, dW, db = linear_backward(dZ, cache)
    return (cache[1] - ALPHA * dW).T @ dZ, dW, db


def wrong_slope(dA, A):
    """Use 1 − A instead of 1 − A²."""
    return dA * (1 - A)


def missing_slope(dA, A):
    """Omit the slope of g, which is not noticed at Z = 0, where it is 1."""
    return dA


def missing_term(dJ, W):
    """Omit from dW the L2 penalty that J includes."""
    return 0 * W


def without_1_m(dJ, cache):
    """Omit the 1/m: dZ = A − Y."""
    return dJ * M * cost_backward(1.0, cache)


class Formulas(NamedTuple):
    """The backward formulas; names with a 2 are those of layer 2."""

    linear: Callable = linear_backward
    linear_2: Callable = linear_backward
    g: Callable = tanh_backward
    g_2: Callable = tanh_backward
    cost: Callable = cost_backward
    penalty: Callable = penalty_backward


BUGS = {
    "no bug": (Formulas(), set()),
    "a factor: 2 dW[2]": (Formulas(linear_2=factor), {"W2"}),
    "a wrong axis in db[2]": (Formulas(linear_2=wrong_axis), {"b2"}),
    "dA[1] from the new W[2]": (Formulas(linear_2=weights_after_the_step), {"W1", "b1"}),
    "1 − A as the slope of A[2]": (Formulas(g_2=wrong_slope), {"W1", "b1", "W2", "b2"}),
    "a missing term: (λ/m) W": (Formulas(penalty=missing_term), {"W1", "W2", "W3"}),
    "no 1/m in dZ[3]": (Formulas(cost=without_1_m), {"W1", "b1", "W2", "b2", "W3", "b3"}),
}


def cost_with(formulas: Formulas) -> Callable:
    """Return J(θ) of the network with these backward formulas."""
    linear, linear_2 = (as_block(linear_forward, f) for f in formulas[:2])
    g, g_2 = (as_block(tanh_forward, f) for f in formulas[2:4])
    cost, penalty = (
        as_block(cost_forward, formulas.cost),
        as_block(penalty_forward, formulas.penalty),
    )
    X, Y = examples()

    def J(theta):
        A1 = g(linear(X, theta["W1"], theta["b1"]))
        A2 = g_2(linear_2(A1, theta["W2"], theta["b2"]))
        Z3 = linear(A2, theta["W3"], theta["b3"])
        return cost(Z3, Y) + sum(penalty(theta[W]) for W in ("W1", "W2", "W3"))

    return J


def examples() -> tuple[np.ndarray, np.ndarray]:
    """Return X (4, m) and Y (1, m)."""
    random = np.random.default_rng(0)
    return random.standard_normal((SIZES[0], M)), np.array([[1.0, 0.0, 1.0]])


def start(deviation: float) -> dict[str, np.ndarray]:
    """Return normal W1, b1, … W3, b3."""
    random, theta = np.random.default_rng(1), {}
    for l, (n_prev, n_l) in enumerate(pairwise(SIZES), 1):
        theta[f"W{l}"] = deviation * random.standard_normal((n_l, n_prev))
        theta[f"b{l}"] = deviation * random.standard_normal((n_l, 1))
    return theta


def one_side_or_two(example: Example) -> None:
    """Compare both slopes of the notes' θ³ at 1, whose derivative is 3."""
    example.part("θ³ at θ = 1: the one-sided and the two-sided slope")
    one, two = slopes_of_cube(np.array([0.01]))
    for sides, found, wanted in (("one side", one[0], "3.0301"), ("two sides", two[0], "3.0001")):
        said = f"from {sides}, ε = 0.01: {found:.4f} (target {wanted})"
        example.target(said, f"{found:.4f}" == wanted)
    epsilon = np.logspace(-10, 0, 41)
    errors = [(epsilon, np.abs(slope - 3)) for slope in slopes_of_cube(epsilon)]
    best = [f"{error.min():.0e} at ε = {epsilon[error.argmin()]:.0e}" for _, error in errors]
    print(f"the least errors: {best[0]} one-sided, {best[1]} from two")
    curves = {"one-sided, error ~ ε": errors[0], "two-sided, error ~ ε²": errors[1]}
    words = {"title": "The slope of θ³: with too small an ε, rounding errors dominate", "log": "xy"}
    words |= {"xlabel": "ε", "ylabel": "|slope − 3|"}
    example.picture("two_sides.png", lambda: plot_curves({"": curves}, **words))


def slopes_of_cube(epsilon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (J(θ + ε) − J(θ)) / ε and (J(θ + ε) − J(θ − ε)) / 2ε for J = θ³ at 1."""
    above, below = (1 + epsilon) ** 3, (1 - epsilon) ** 3
    return (above - 1) / epsilon, (above - below) / (2 * epsilon)


def heading(report: GradientReport) -> str:
    """Print the names of the parameters, above their relative differences."""
    return f"{'‖grad − slope‖ / (‖‖ + ‖‖)':28s}" + "".join(
        f"{p.name:>9s}" for p in report.parameters
    )


def differences(report: GradientReport) -> str:
    """Return the relative difference of each parameter."""
    return "".join(f"{p.difference:9.0e}" for p in report.parameters)


def the_bugs(example: Example) -> None:
    """Check the right formulas, then each bug."""
    example.part("Bugs, one at a time")
    for i, (name, (formulas, reached)) in enumerate(BUGS.items()):
        if example.quick and i > 3:
            break
        report = check_parameters(cost_with(formulas), start(0.5))
        if i == 0:
            print(heading(report))
        print(f"{name:28s}{differences(report)}")
        blamed = {p.name for p in report.parameters if p.difference > RIGHT}
        words = [", ".join(sorted(names)) or "nothing" for names in (blamed, reached)]
        example.target(f"{name}: above 1e-7 {words[0]} (target {words[1]})", blamed == reached)


def random_start(example: Example) -> None:
    """Show a bug that zeros hide: where W and b are 0, Z is 0, and the slope of tanh is 1."""
    example.part("A bug that zeros hide: the slope of tanh is left out")
    J = cost_with(Formulas(g=missing_slope, g_2=missing_slope))
    reports = {
        "zeros": (check_parameters(J, start(0.0), nudge=False), ("right",)),
        "zeros, moved a little": (check_parameters(J, start(0.0)), ("doubtful", "wrong")),
        "random": (check_parameters(J, start(0.5)), ("wrong",)),
    }
    print(heading(reports["zeros"][0]))
    for name, (report, wanted) in reports.items():
        print(f"{name:28s}{differences(report)}")
        said = f"from {name} it looks {report.verdict} (target {' or '.join(wanted)})"
        example.target(said, report.verdict in wanted)


def dropout_off(example: Example) -> None:
    """Check dropout: with a new mask at each call, J is a different function each time."""
    example.part("Dropout: the slope of which J?")
    with jax.enable_x64(True):
        J, W1 = cost_with_dropout(), jnp.asarray(start(0.5)["W1"])
        for name, keep_prob, key_of in (
            ("a new mask at each call", 0.5, lambda call: call),
            ("the same mask", 0.5, lambda call: 0),
            ("keep_prob = 1", 1.0, lambda call: call),
        ):
            calls = count()

            def at(W, keep_prob=keep_prob, key_of=key_of, calls=calls):
                return J(W, jax.random.key(key_of(next(calls))), jnp.asarray(keep_prob))

            difference = relative_difference(jax.grad(at)(W1), slope_by_hand(at, W1))
            right = name != "a new mask at each call"
            wanted = f"at most {RIGHT:.0e}" if right else "above 1e-3"
            said = f"{name}: {difference:.0e} (target {wanted})"
            example.target(said, difference <= RIGHT if right else difference > 1e-3)


def cost_with_dropout() -> Callable:
    """Return J(W[1], key, keep_prob) with dropout of A[1]; every formula is right."""
    X, Y = (jnp.asarray(array) for array in examples())
    theta = {name: jnp.asarray(value) for name, value in start(0.5).items()}

    @jax.jit
    def J(W1, key, keep_prob):
        A1 = jnp.tanh(W1 @ X + theta["b1"])
        A1 = dropout(A1, dropout_mask(key, A1.shape, keep_prob), keep_prob)
        A2 = jnp.tanh(theta["W2"] @ A1 + theta["b2"])
        return cost_forward(theta["W3"] @ A2 + theta["b3"], Y)[0]

    return J


def slope_by_hand(J: Callable, W) -> np.ndarray:
    """Return the notes' two-sided difference, (J(W + ε) − J(W − ε)) / 2ε, of each entry."""
    slope = np.zeros(W.shape)
    for place in np.ndindex(*W.shape):
        step = np.zeros(W.shape)
        step[place] = EPSILON
        slope[place] = (J(W + step) - J(W - step)) / (2 * EPSILON)
    return slope


if __name__ == "__main__":
    main()
