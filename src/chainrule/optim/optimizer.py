"""The optimiser interface: update rules in optax's form, interchangeable with those of optax.

    state          = optimizer.init(theta)
    updates, state = optimizer.update(gradients, state, theta)
    theta          = theta + updates

`update` is a module-level function, and the hyperparameters are arrays in the state: another
learning rate does not recompile the program, and models with a thousand different ones can be
trained at once. A schedule instead of a learning rate (`schedules.py`) also keeps its numbers in
the state.
"""

from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.tree_util import DictKey, GetAttrKey, tree_flatten_with_path, tree_map_with_path
from jaxtyping import Array, Float, Int

from chainrule.errors import OptionError
from chainrule.types import Params


class Optimizer(NamedTuple):
    """An optimiser: init(theta) -> state; update(gradients, state, theta) -> (updates, state)."""

    init: Callable[[Params], Any]
    update: Callable[..., tuple[Params, Any]]


class Schedule(Protocol):
    """α as a function of the step: a callable named tuple of numbers, the first of which is α0."""

    @property
    def learning_rate(self) -> Any:
        """The initial learning rate α0."""

    def __call__(self, t: Any) -> Float[Array, ""]:
        """Return α at step t, which counts from 0."""
        ...


NO_STEPS: Any = np.zeros((), np.int32)
"""The step count t before the first step."""

OURS = (GetAttrKey("learning_rate"),)
OPTAX = (GetAttrKey("hyperparams"), DictKey("learning_rate"))
OPTAX_SCHEDULE = (GetAttrKey("hyperparams_states"), DictKey("learning_rate"))
"""The paths at which optimiser states store α."""


def apply_updates(theta: Params, updates: Params) -> Params:
    """Return θ = θ + update, leaf by leaf; each leaf keeps its dtype."""
    return jax.tree.map(lambda p, u: p + jnp.asarray(u, jnp.result_type(p)), theta, updates)


def as_array(number: float | Array, theta: Params) -> Any:
    """Convert a hyperparameter to an array of the state's dtype, made on the host."""
    return _cast(number, _state_dtype(theta))


def rate_as_array(learning_rate: float | Array | Schedule, theta: Params) -> Any:
    """Convert α, or the numbers of its schedule, to arrays; whole numbers stay integers."""
    if not callable(learning_rate):
        return as_array(learning_rate, theta)
    if not isinstance(learning_rate, tuple):
        expected = "a number, an array or a schedule such as exponential_decay(0.1, 0.95)"
        hint = "optax.chain(gradient_descent(1.0), optax.scale_by_schedule(…)) to use a function"
        raise OptionError("learning_rate", expected, "another function", hint)
    dtype = _state_dtype(theta)

    def convert(number):
        whole = jnp.issubdtype(jnp.result_type(number), jnp.integer)
        return _cast(number, np.dtype(np.int32) if whole else dtype)

    return jax.tree.map(convert, learning_rate)


def rate_at(learning_rate: Array | Schedule, t: Int[Array, ""]) -> Float[Array, ""]:
    """Return α at step t, which counts from 0."""
    return learning_rate(t) if callable(learning_rate) else learning_rate


def with_learning_rate(state: Any, learning_rate: float | Array) -> Any:
    """Return the state of an optimiser with another α, or with another α0 of its schedule.

    α is found by its name at any depth, so also in `optax.chain` and `optax.inject_hyperparams`; if
    there are several, all are replaced. It keeps its dtype and shape, so nothing is recompiled.
    Raises OptionError if the state has no learning rate.
    """
    where = "with_learning_rate(…)"
    check_above_zero(where, learning_rate, "0.001")
    paths = [path for path, _ in tree_flatten_with_path(state)[0]]
    _check_has_rate(where, state, paths)
    if any(path[-3:-1] == OPTAX_SCHEDULE for path in paths):
        expected = "a learning rate stored in the state"
        hint = "a schedule of chainrule.optim.schedules"
        raise OptionError(where, expected, "an optax schedule, which is a function", hint)

    def replace(path, leaf):
        if not _is_rate(path):
            return leaf
        return jax.device_put(np.full(np.shape(leaf), learning_rate, leaf.dtype))

    return tree_map_with_path(replace, state)


def current_learning_rate(state: Any) -> Float[Array, ""]:
    """Return α of an optimiser's next step; if it has several, the first one.

    For a schedule inside `optax.inject_hyperparams` this is α of the last step. Raises OptionError
    if the state has no learning rate.
    """
    leaves = dict(tree_flatten_with_path(state, is_leaf=callable)[0])
    _check_has_rate("current_learning_rate(…)", state, leaves)
    path = next(path for path in leaves if _is_rate(path))
    if not callable(leaves[path]):
        return leaves[path]
    return jax.jit(rate_at)(leaves[path], leaves[(*path[:-1], GetAttrKey("t"))])


def zeros_like(theta: Params) -> Params:
    """Return zeros shaped like θ, made on the host, so that nothing is compiled."""
    dtype = _state_dtype(theta)
    return jax.tree.map(lambda p: np.zeros(jnp.shape(p), dtype), theta)


def check_above_zero(where: str, number: Any, example: str) -> None:
    """Refuse a value that is not a finite number above 0; the numbers of arrays are not checked."""
    if isinstance(number, Array | np.ndarray):
        return
    real = isinstance(number, Real) and not isinstance(number, bool)
    if not real or not 0 < float(number) < np.inf:
        got = repr(number) if isinstance(number, str) else f"{number}"
        raise OptionError(where, "a number greater than 0", got, example)


def check_beta(where: str, beta: float | Array) -> None:
    """Refuse a β outside [0, 1); a value traced by JAX is not checked."""
    if isinstance(beta, Tracer) or 0 <= beta < 1:
        return
    hint = "0.9, which averages about the last 10 values"
    raise OptionError(where, "a number of at least 0 and below 1", f"{beta:g}", hint)


def _is_rate(path: tuple) -> bool:
    """Return whether a state stores α here: in a field of that name, or as optax does."""
    return path[-1:] == OURS or path[-2:] == OPTAX


def _check_has_rate(where: str, state: Any, paths: Iterable[tuple]) -> None:
    if not any(map(_is_rate, paths)):
        expected = "a state that contains a learning rate"
        got = f"a {type(state).__name__} without one"
        hint = "adam(0.001), or optax.inject_hyperparams(optax.adamw)(learning_rate=0.001)"
        raise OptionError(where, expected, got, hint)


def _cast(number: Any, dtype: np.dtype) -> Any:
    return number.astype(dtype) if isinstance(number, jax.Array) else np.asarray(number, dtype)


def _state_dtype(theta: Params) -> np.dtype:
    """Return the dtype of the parameters, at least float32: in bfloat16, 0.999 would round to 1."""
    dtype = jnp.result_type(*jax.tree.leaves(theta) or [np.float32])
    return dtype if dtype.itemsize >= 4 else np.dtype(np.float32)
