"""Stack pytrees of one structure along a new first axis of their arrays, and unstack them.

This is done on the host, so that nothing is compiled.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np

from chainrule.errors import OptionError

T = TypeVar("T")


def stack(trees: Sequence[T]) -> T:
    """Stack the trees to one on the device, whose arrays share no memory with the originals."""
    return jax.device_put(jax.tree.map(_stack_leaves, *trees))


def unstack(tree: T, n: int) -> list[T]:
    """Return the first `n` trees of a stack, on the host."""
    leaves, structure = jax.tree.flatten(tree)
    parts = [_on_host(leaf) for leaf in leaves]
    return [jax.tree.unflatten(structure, [part(i) for part in parts]) for i in range(n)]


def check_alike(trees: Sequence[Any], where: str, expected: str, hint: str) -> None:
    """Refuse trees that differ from the first one in structure, shapes or dtypes."""
    first = _form(trees[0])
    for i, tree in enumerate(trees):
        if _form(tree) != first:
            raise OptionError(f"candidate {i}, {where}", expected, "a different one", hint)


def _form(tree: Any) -> tuple:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(np.shape(leaf), jax.numpy.result_type(leaf)) for leaf in leaves]


def _is_key(leaf: Any) -> bool:
    """Return whether a leaf is a JAX random key, which NumPy holds as its raw data."""
    return jax.numpy.issubdtype(jax.numpy.result_type(leaf), jax.dtypes.prng_key)


def _stack_leaves(*leaves: Any) -> Any:
    if not _is_key(leaves[0]):
        return np.stack(leaves)
    data: Any = np.stack([jax.random.key_data(leaf) for leaf in leaves])
    return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaves[0]))


def _on_host(leaf: Any):
    """Return a function from i to the i-th part of a leaf."""
    if not _is_key(leaf):
        array = np.asarray(leaf)
        return lambda i: array[i]
    data: Any = np.asarray(jax.random.key_data(leaf))
    impl = jax.random.key_impl(leaf)
    return lambda i: jax.random.wrap_key_data(data[i], impl=impl)
