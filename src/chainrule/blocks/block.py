"""A block: one formula of the notes, with the formula of its derivative."""

from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any

import jax


def as_block(forward: Callable[..., tuple[Any, Any]], backward: Callable) -> Callable:
    """Join a forward and a backward formula into one function JAX can differentiate.

    forward(*inputs, **settings) -> (output, cache)
    backward(dOut, cache)        -> the gradient, or a tuple of gradients, of the first inputs

    Inputs beyond the gradients (labels, masks, weights) get none; an input may be named,
    `weights=w`. Settings are keyword-only hashable values; each set of settings has one
    differentiable function, made once, so that a second call neither traces nor compiles again.
    JAX hands the cache first and the gradient second; the notes write them the other way round,
    so the swap is made here, once.

    There is no forward mode through a block: whatever needs it uses the plain formula.
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
        bound = call.bind(*inputs, **settings)  # a named input is no setting
        return differentiable(tuple(sorted(bound.kwargs.items())))(*bound.args)

    # Its own name, so that it can be pickled by name wherever it is a field of a layer.
    block.__module__ = forward.__module__
    block.__name__ = block.__qualname__ = forward.__name__.removesuffix("_forward")
    block.__doc__ = forward.__doc__
    vars(block).update(forward=forward, backward=backward)  # for who wants to see the cache
    return block
