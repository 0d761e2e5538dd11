"""Allocate the weights of a network: only if they fit into memory, or only their shapes.

    check_size_first    builds a network whose weights may be large: without any, then with them
    only_shapes         a block in which weights take no memory, such as for `jax.eval_shape`

The initialisers (`layers/initializers.py`) call `check_size` before they draw, and `filled`.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike

from chainrule.host.machine import check_memory

_only_shapes = ContextVar("only_shapes", default=False)


def needs_only_shapes() -> bool:
    """Return whether only the shapes of the weights are needed here."""
    return _only_shapes.get()


@contextmanager
def only_shapes() -> Iterator[None]:
    """Draw no weights in the block, which `jax.eval_shape` traces: only their shapes are needed."""
    token = _only_shapes.set(True)
    try:
        yield
    finally:
        _only_shapes.reset(token)


LARGE = 2**26
"""The bytes from which weights are compared with the free memory before they are drawn."""
_stage: ContextVar[str] = ContextVar("stage", default="alone")
"""How weights are drawn: alone, or for a network whose size is unknown or known."""
B = TypeVar("B", bound=Callable[..., Any])


class _LargeWeightsError(Exception):
    """The weights are large, and the size of the whole network is not known yet."""


def check_size_first(build: B) -> B:
    """Make a function that builds a network refuse one whose weights do not fit into memory.

    A network with large weights is first built without any, which takes no memory.
    """

    @wraps(build)
    def checked(*args: Any, **options: Any) -> Any:
        if _stage.get() != "alone" or _only_shapes.get():
            return build(*args, **options)
        try:
            with _at_stage("unknown"):
                return build(*args, **options)
        except _LargeWeightsError:
            with only_shapes():
                planned = jax.eval_shape(lambda: build(*args, **options))
        needed = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(planned))
        hint = "fewer channels or units, or smaller images"
        check_memory(f"the network {planned.title}", needed, hint)
        with _at_stage("known"):
            return build(*args, **options)

    return cast(B, checked)


@contextmanager
def _at_stage(stage: str) -> Iterator[None]:
    token = _stage.set(stage)
    try:
        yield
    finally:
        _stage.reset(token)


def filled(value: float, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
    """Return an array of one value, made on the host; in `only_shapes`, an array without memory."""
    check_size(shape, dtype)
    return jnp.zeros(shape, np.dtype(dtype)) if _only_shapes.get() else np.full(shape, value, dtype)


def check_size(shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Refuse weights that do not fit into memory, and large ones of a network of unknown size."""
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    if needed <= LARGE or _only_shapes.get() or _stage.get() == "known":
        return
    if _stage.get() == "unknown":
        raise _LargeWeightsError
    sides = " × ".join(map(str, shape))
    check_memory(f"weights of {sides}", needed, "fewer units, or smaller images")
