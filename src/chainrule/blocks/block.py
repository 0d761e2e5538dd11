"""A block: one formula of the notes, with the formula of its derivative."""

from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any

import jax


def as_block(forward: Callable[..., tuple[Any, Any]], backward: Callable) -> Callable:
    """Join a forward and a backward formula into one function that JAX can differentiate.

    forward(*inputs, **settings) -> (output, cache)
    backward(dOut, cache)        -> the gradient, or a tuple of gradients, of the first inputs

    The remaining inputs (labels, masks, weights) get no gradient; an input may be passed by name,
    `weights=w`. Settings are keyword-only hashable values; one differentiable function is made for
    each set of settings and kept, so that a second call is neither traced nor compiled again.
    JAX passes the cache first and the gradient second, the notes the other way round; the two are
    swapped here and nowhere else.

    A block has no forward-mode derivative; code that needs one uses the plain formula.
    """
    call = signature(forward)

    @cache
    def differentiable(settings: tuple[tuple[str, Any], ...]) -> Callable:
        keywords = dict(settings)

        @jax.custom_vjp
        def function(*inputs):
            return forward(*inputs, **keywords)[0]

        def keep(*inputs):
            output, cache = forward(*inputs, **keywords)
            return output, (cache, (None,) * len(inputs))

        def pull(kept, d_output):
            cache, no_gradients = kept
            gradients = backward(d_output, cache)
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            return gradients + no_gradients[len(gradients) :]

        function.defvjp(keep, pull)
        return function

    def block(*inputs, **settings):
        bound = call.bind(*inputs, **settings)  # an input passed by name is not a setting
        return differentiable(tuple(sorted(bound.kwargs.items())))(*bound.args)

    # The name lets the block be pickled by name when it is a field of a layer.
    block.__module__ = forward.__module__
    block.__name__ = block.__qualname__ = forward.__name__.removesuffix("_forward")
    block.__doc__ = forward.__doc__
    vars(block).update(forward=forward, backward=backward)  # to inspect the cache
    return block
