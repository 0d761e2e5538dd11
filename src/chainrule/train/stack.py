"""Several pytrees of one structure as one, whose arrays have a first axis more; and back again.

On the host, so that nothing is compiled for it.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np

from chainrule.errors import OptionError

T = TypeVar("T")


def stack(trees: Sequence[T]) -> T:
    """One tree on the device; its arrays share no memory with those that came in."""
    return jax.device_put(jax.tree.map(_stack_leaves, *trees))


def unstack(tree: T, n: int) -> list[T]:
    """The first `n` trees, on the host."""
    leaves, structure = jax.tree.flatten(tree)
    parts = [_on_host(leaf) for leaf in leaves]
    return [jax.tree.unflatten(structure, [part(i) for part in parts]) for i in range(n)]


def check_alike(trees: Sequence[Any], where: str, expected: str, hint: str) -> None:
    """Refuse trees that are not all of the first one's structure, shapes and dtypes."""
    first = _form(trees[0])
    for i, tree in enumerate(trees):
        if _form(tree) != first:
            raise OptionError(f"candidate {i}, {where}", expected, "another one", hint)


def _form(tree: Any) -> tuple:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(np.shape(leaf), jax.numpy.result_type(leaf)) for leaf in leaves]


def _is_key(leaf: Any) -> bool:
    """NumPy has no keys: they travel as their words."""
    return jax.numpy.issubdtype(jax.numpy.result_type(leaf), jax.dtypes.prng_key)


def _stack_leaves(*leaves: Any) -> Any:
    if not _is_key(leaves[0]):
        return np.stack(leaves)
    words: Any = np.stack([jax.random.key_data(leaf) for leaf in leaves])
    return jax.random.wrap_key_data(words, impl=jax.random.key_impl(leaves[0]))


def _on_host(leaf: Any):
    """A function that gives the i-th part of a leaf."""
    if not _is_key(leaf):
        array = np.asarray(leaf)
        return lambda i: array[i]
    words: Any = np.asarray(jax.random.key_data(leaf))
    impl = jax.random.key_impl(leaf)
    return lambda i: jax.random.wrap_key_data(words[i], impl=impl)
