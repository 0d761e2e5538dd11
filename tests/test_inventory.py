"""What must hold for every block, layer, model and optimiser, and that none is forgotten."""

import copy
import inspect
import pickle
from importlib import import_module
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.optim.optimizer import apply_updates
from tests.compilations import compilations
from tests.inventory import BLOCKS, KEY, LAYERS, MODELS, OPTIMIZERS, TOOLS, WEIGHTS

CASES = BLOCKS + LAYERS + MODELS
SOURCE = Path(__file__).parent.parent / "src" / "chainrule"
SEPARATE = [case for case in CASES if case.output is not None and case.alone]

each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_model = pytest.mark.parametrize("case", LAYERS + MODELS, ids=str)
each_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())


def as_arrays(tree, dtype=np.float64):
    return jax.tree.map(lambda x: jnp.asarray(np.asarray(x), dtype), tree)


def witness(function, *inputs):
    """The output, and the gradient of the sum of its numbers for every input."""
    output, pull = jax.vjp(function, *inputs)
    return output, pull(jnp.ones_like(output))


jit_witness = jax.jit(witness, static_argnums=0)


def assert_close(got, want):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def assert_same(got, want):
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_array_equal(a, b)


# Blocks, layers and models


@each_case
def test_is_the_same_under_jit(case):
    inputs = as_arrays(case.inputs)
    assert_close(jit_witness(case.function, *inputs), witness(case.function, *inputs))


@each_case
def test_a_second_call_compiles_nothing(case):
    once, again = as_arrays(case.inputs), jax.tree.map(lambda x: 0.5 * x, as_arrays(case.inputs))
    witness(case.function, *once), jit_witness(case.function, *once)
    with compilations() as compiled:
        witness(case.function, *again), jit_witness(case.function, *again)
    assert compiled == []


@each_case
@pytest.mark.usefixtures("float32_world")
def test_float32_in_float32_out(case):
    results = jit_witness(case.function, *as_arrays(case.inputs, np.float32))
    assert {leaf.dtype for leaf in jax.tree.leaves(results)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("case", SEPARATE, ids=str)
def test_examples_do_not_see_each_other(case):
    def change(x, axis):
        """Another example 0; the others stay."""
        if axis is None:
            return x
        first, others = np.split(x, [1], axis)
        return np.concatenate([2 - 3 * first, others], axis)

    changed = [change(x, axis) for x, axis in zip(case.inputs, case.examples, strict=True)]
    before, gradients = jit_witness(case.function, *as_arrays(case.inputs))
    after, new_gradients = jit_witness(case.function, *as_arrays(tuple(changed)))
    others = range(1, 5)
    np.testing.assert_allclose(
        np.take(after, others, case.output), np.take(before, others, case.output), rtol=1e-12
    )
    assert not np.allclose(after, before)  # example 0 does see its own change
    for axis, a, b in zip(case.examples, new_gradients, gradients, strict=True):
        if axis is not None:
            np.testing.assert_allclose(
                np.take(a, others, axis), np.take(b, others, axis), rtol=1e-12, atol=1e-15
            )


@each_case
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e4])
@pytest.mark.usefixtures("float32_world")
def test_gradients_are_finite_at_extreme_inputs(case, size):
    inputs = list(as_arrays(case.inputs, np.float32))
    inputs[case.extreme] = size * jnp.sign(inputs[case.extreme])
    for leaf in jax.tree.leaves(jit_witness(case.function, *inputs)):
        assert np.isfinite(leaf).all()


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@each_case
def test_survives_a_copy_and_a_pickle(case, travel):
    if inspect.isclass(case.thing):
        model, _ = case.inputs
        assert_same(travel(model), model)
    else:
        assert travel(case.thing) is case.thing  # by its name


@each_model
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_keeps_the_form_of_a_model(case, dtype):
    made, A_prev = as_arrays(case.inputs, dtype)
    A, after = made.train(A_prev, key=KEY, weights=as_arrays(WEIGHTS, dtype))
    assert A.dtype == dtype
    assert jax.tree.structure(after) == jax.tree.structure(made)
    for new, old in zip(jax.tree.leaves(after), jax.tree.leaves(made), strict=True):
        assert (new.shape, new.dtype) == (old.shape, old.dtype)


# Optimisers

THETA = {"W": np.array([[1.0, -2.0]]), "b": np.array([[0.5]])}
GRADIENTS = {"W": np.array([[0.3, -0.1]]), "b": np.array([[2.0]])}


def step(optimizer, theta, state, gradients):
    updates, state = optimizer.update(gradients, state, theta)
    return apply_updates(theta, updates), state


def two_steps(optimizer, dtype=np.float64, gradients=GRADIENTS):
    theta, gradients = as_arrays(THETA, dtype), as_arrays(gradients, dtype)
    state = optimizer.init(theta)
    return step(optimizer, *step(optimizer, theta, state, gradients), gradients)


@each_optimizer
def test_an_optimiser_is_the_same_under_jit(make):
    optimizer = make(0.1)
    assert_close(jax.jit(lambda: two_steps(optimizer))(), two_steps(optimizer))


@each_optimizer
def test_another_learning_rate_is_not_another_program(make):
    assert make(0.1).update == make(0.2).update
    update = jax.jit(make(0.1).update)
    theta, gradients = as_arrays(THETA), as_arrays(GRADIENTS)
    first, _ = update(gradients, make(0.1).init(theta), theta)
    with compilations() as compiled:
        second, state = update(gradients, make(0.2).init(theta), theta)
        update(gradients, state, theta)
    assert compiled == []
    np.testing.assert_allclose(second["W"], 2 * np.asarray(first["W"]), rtol=1e-12)


@each_optimizer
@pytest.mark.usefixtures("float32_world")
def test_an_optimiser_keeps_float32(make):
    theta, state = two_steps(make(0.1), np.float32)
    wanted = {np.dtype(np.float32), np.dtype(np.int32)}
    assert {leaf.dtype for leaf in jax.tree.leaves((theta, state))} <= wanted
    assert {leaf.dtype for leaf in jax.tree.leaves(theta)} == {np.dtype(np.float32)}


@each_optimizer
def test_a_step_keeps_the_form_of_the_state(make):
    optimizer = make(0.1)
    before = optimizer.init(as_arrays(THETA))
    _, after = two_steps(optimizer)
    assert jax.tree.structure(after) == jax.tree.structure(before)
    for new, old in zip(jax.tree.leaves(after), jax.tree.leaves(before), strict=True):
        assert (new.shape, new.dtype) == (old.shape, old.dtype)


@each_optimizer
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e15])
@pytest.mark.usefixtures("float32_world")
def test_updates_are_finite_at_extreme_gradients(make, size):
    gradients = jax.tree.map(lambda d: size * np.sign(d), GRADIENTS)
    for leaf in jax.tree.leaves(two_steps(make(0.1), np.float32, gradients)):
        assert np.isfinite(leaf).all()


@each_optimizer
def test_goes_against_the_gradient(make):
    theta, _ = two_steps(make(0.1))
    for name in THETA:
        assert (np.sign(theta[name] - THETA[name]) == -np.sign(GRADIENTS[name])).all()


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@each_optimizer
def test_an_optimiser_survives_a_copy_and_a_pickle(make, travel):
    optimizer = make(0.1)
    again = travel(optimizer)
    assert again.update == optimizer.update  # no second program
    assert hash(again.update) == hash(optimizer.update)
    assert_same(two_steps(again), two_steps(optimizer))
    state = two_steps(optimizer)[1]
    assert_same(travel(state), state)


# Nothing is forgotten


def public(package: str) -> list:
    """The functions and classes that the files of a package define, without caches and states."""
    found = []
    for file in sorted((SOURCE / package).glob("*.py")):
        module = import_module(f"chainrule.{package}.{file.stem}")
        found += [
            thing
            for name, thing in vars(module).items()
            if (inspect.isfunction(thing) or inspect.isclass(thing))
            and thing.__module__ == module.__name__
            and not name.startswith("_")
            and not name.endswith(("Cache", "State"))
        ]
    return found


@pytest.mark.parametrize("package", ["blocks", "layers", "models", "optim"])
def test_everything_public_is_in_the_inventory(package):
    listed = {case.thing for case in CASES} | set(OPTIMIZERS.values()) | TOOLS
    for case in BLOCKS:  # a block brings its two formulas
        listed |= {case.thing.forward, case.thing.backward}
    things = public(package)
    assert len(things) > 1
    missing = [f"{thing.__module__}.{thing.__name__}" for thing in things if thing not in listed]
    assert missing == [], "give each a line in tests/inventory.py"
