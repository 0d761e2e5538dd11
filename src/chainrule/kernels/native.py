"""Convolutions and batch norm on a CPU by the native wheel: oneDNN, or the project's own kernels.

    convolution   forward     Z       = A_prev ∗ W + b, then ReLU if requested
                  backward    dA_prev, dW and db from dZ
    batch norm    forward     A = relu(γ ⊙ Z_norm + β + shortcut), the mean and the variance
                  backward    dZ, dγ, dβ and dshortcut from dA, dmean and dvariance

Arrays are float32: images (m, n_H, n_W, n_C), filters (f_H, f_W, n_C_prev / groups, n_C), features
(1, 1, 1, n_C), weights (1, m). Stride and padding are the same on both axes; a depthwise
convolution has one group per channel. Batch norm makes two passes over Z forward and two backward,
where XLA needs several more; its ReLU and shortcut are optional (`blocks/batch_norm_relu.py` has
the formulas).

`chainrule_native` (the folder `native/`, built by `make native`) registers these with XLA as
foreign functions. Without it, on another device, or with CHAINRULE_KERNEL=xla in the environment,
`available` returns False and XLA's own operations are used.
"""

import importlib
import os
import platform
import sys
from functools import cache
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from chainrule.errors import ChainruleError, ShapeError

# Whether to use the native kernels

SWITCH = "CHAINRULE_KERNEL"
CHOICES = ("auto", "xla")
WHERE = "convolution (native)"


def available() -> bool:
    """Return whether the native convolutions can be used now."""
    return _obstacle() is None


def reason() -> str:
    """Return a phrase that explains why the native kernels are or are not used."""
    return _obstacle() or f"chainrule-native with oneDNN {native().onednn_version()}"


def advice() -> str | None:
    """Return how to get the kernels if they could be used, but are not there; None otherwise."""
    module = _loaded()
    missing = isinstance(module, str) and _obstacle() == module
    if not missing or (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return None
    return (
        "note: convolutions are about twice as fast with the native kernels, which "
        "`make native` builds"
    )


def uses_native(A: Array) -> bool:
    """Return whether to use the native kernels: float32 on a CPU with the wheel installed."""
    return A.dtype == np.float32 and available()


def native() -> ModuleType:
    """Return the native module, with its functions registered with XLA."""
    module = _loaded()
    if isinstance(module, str):
        hint = "`make native`, or the XLA kernel"
        raise ChainruleError(WHERE, "the native kernels", module, hint)
    return module


def _obstacle() -> str | None:
    if os.environ.get(SWITCH, "auto").lower() == "xla":
        return f"turned off by {SWITCH}=xla"
    if jax.default_backend() != "cpu":
        return f"the backend is {jax.default_backend()}, not cpu"
    module = _loaded()
    return module if isinstance(module, str) else None


@cache
def _loaded() -> ModuleType | str:
    try:
        module = importlib.import_module("chainrule_native")
    except ModuleNotFoundError:
        return "chainrule-native is not installed: `make native` builds it"
    except ImportError as error:
        return f"chainrule-native cannot be loaded: {error}"
    if not hasattr(module, "targets"):
        return "chainrule-native has another version: `make native` rebuilds it"
    for name, target in module.targets().items():
        jax.ffi.register_ffi_target(name, target, platform="cpu")
    return module


# Convolutions


def conv_forward(
    A_prev: Float[Array, "m n_H_prev n_W_prev n_C_prev"],
    W: Float[Array, "f_H f_W n_C_group n_C"],
    b: Float[Array, "1 1 1 n_C"] | None,
    *,
    s: int,
    pads: tuple[int, int],
    groups: int = 1,
    relu: bool = False,
) -> Float[Array, "m n_H n_W n_C"]:
    """Return A_prev ∗ W + b, followed by ReLU if `relu` is set."""
    g = Geometry.of(A_prev.shape, W.shape, s=s, pads=pads, groups=groups)
    biases = _biases(b, g)
    settings = g.settings(bias=b is not None, relu=relu)
    return _call("convolution", (A_prev, W, *biases), settings, g.result)[0]


def conv_input_gradient(
    dZ: Float[Array, "m n_H n_W n_C"],
    W: Float[Array, "f_H f_W n_C_group n_C"],
    *,
    n_H_prev: int,
    n_W_prev: int,
    s: int,
    pads: tuple[int, int],
    groups: int = 1,
) -> Float[Array, "m n_H_prev n_W_prev n_C_prev"]:
    """Return dA_prev, the gradient of the input."""
    _check_four_axes("dZ", dZ.shape)
    _check_four_axes("W", W.shape)
    images = (dZ.shape[0], n_H_prev, n_W_prev, W.shape[2] * groups)
    g = Geometry.of(images, W.shape, s=s, pads=pads, groups=groups)
    _check_shape("dZ", dZ.shape, g.result)
    return _call("convolution_input_gradient", (dZ, W), g.settings(), images)[0]


def conv_filter_gradient(
    A_prev: Float[Array, "m n_H_prev n_W_prev n_C_prev"],
    dZ: Float[Array, "m n_H n_W n_C"],
    *,
    f_H: int,
    f_W: int,
    s: int,
    pads: tuple[int, int],
    groups: int = 1,
    bias: bool = False,
) -> tuple[Float[Array, "f_H f_W n_C_group n_C"], Float[Array, "1 1 1 n_C"] | None]:
    """Return dW, the gradient of the filters, and db if `bias` is set."""
    _check_four_axes("A_prev", A_prev.shape)
    _check_four_axes("dZ", dZ.shape)
    n_C = dZ.shape[3]
    filters = (f_H, f_W, A_prev.shape[3] // max(groups, 1), n_C)
    g = Geometry.of(A_prev.shape, filters, s=s, pads=pads, groups=groups)
    _check_shape("dZ", dZ.shape, g.result)
    shapes = (filters, (1, 1, 1, n_C)) if bias else (filters,)
    dW, *db = _call("convolution_filter_gradient", (A_prev, dZ), g.settings(bias=bias), *shapes)
    return dW, db[0] if bias else None


def pack(
    W: Float[Array, "f_H f_W n_C_group n_C"], *, geometry: "Geometry"
) -> Float[Array, " size"]:
    """Convert W to the layout that the kernel reads, for many predictions with one W."""
    _check_shape("W", W.shape, geometry.filters)
    settings = [int(number) for number in geometry.settings()[:4]]
    size = native().packed_size(geometry.images, geometry.filters, settings)
    return _call("convolution_pack", (W,), geometry.packed_settings(), (size,))[0]


def conv_forward_packed(
    A_prev: Float[Array, "m n_H_prev n_W_prev n_C_prev"],
    packed: Float[Array, " size"],
    b: Float[Array, "1 1 1 n_C"] | None,
    residual: Float[Array, "m n_H n_W n_C"] | None = None,
    *,
    geometry: "Geometry",
    relu: bool = False,
) -> Float[Array, "m n_H n_W n_C"]:
    """Return A_prev ∗ W + b + residual, followed by ReLU if `relu` is set; `pack` packs W."""
    _check_shape("A_prev", A_prev.shape, geometry.images)
    arrays, aliases = (A_prev, packed, *_biases(b, geometry)), {}
    if residual is not None:
        _check_shape("residual", residual.shape, geometry.result)
        arrays, aliases = (*arrays, residual), {len(arrays): 0}
    settings = geometry.packed_settings(
        bias=b is not None, relu=relu, residual=residual is not None
    )
    return _call("convolution_packed", arrays, settings, geometry.result, aliases=aliases)[0]


class Geometry(NamedTuple):
    """The sizes, stride, padding and groups of a convolution."""

    images: tuple[int, ...]
    filters: tuple[int, ...]
    s: int
    pads: tuple[int, int]
    groups: int = 1

    @classmethod
    def of(cls, images, filters, *, s: int, pads: tuple[int, int], groups: int = 1) -> "Geometry":
        """Return the geometry after checking it; an error names the size that is not possible."""
        _check_four_axes("A_prev", images)
        _check_four_axes("W", filters)
        g = cls(tuple(images), tuple(filters), int(s), (int(pads[0]), int(pads[1])), int(groups))
        g._check()
        return g

    def _check(self) -> None:
        if self.s < 1 or self.groups < 1 or min(self.pads) < 0:
            got = f"s = {self.s}, pads = {self.pads}, groups = {self.groups}"
            raise ShapeError(WHERE, "s and groups of at least 1, pads of at least 0", got)
        if self.images[3] != self.filters[2] * self.groups:
            expected = f"{self.filters[2] * self.groups} channels, as in the filters"
            raise ShapeError(WHERE, expected, f"{self.images[3]} channels")
        if self.filters[3] % self.groups:
            expected = f"a number of filters divisible by {self.groups}"
            raise ShapeError(WHERE, expected, f"{self.filters[3]} filters")
        if 0 in (*self.images[1:], *self.filters):
            got = f"shapes {self.images} and {self.filters}"
            raise ShapeError(WHERE, "non-empty images and filters", got)
        for n_prev, f in zip(self.images[1:3], self.filters, strict=False):
            padded = n_prev + sum(self.pads)
            if f > padded:
                expected = f"filters no larger than the padded image, {padded}"
                raise ShapeError(WHERE, expected, f"f = {f}", "more padding, or a smaller f")

    @property
    def result(self) -> tuple[int, int, int, int]:
        """The output shape (m, n_H, n_W, n_C), with n = ⌊(n_prev + p + p' − f) / s⌋ + 1."""
        n_H, n_W = (
            (n_prev + sum(self.pads) - f) // self.s + 1
            for n_prev, f in zip(self.images[1:3], self.filters, strict=False)
        )
        return (self.images[0], n_H, n_W, self.filters[3])

    def settings(self, *, bias=False, relu=False, residual=False) -> np.ndarray:
        """Return the settings for the native handler."""
        return np.array([self.s, *self.pads, self.groups, bias, relu, residual], np.int64)

    def packed_settings(self, **flags: bool) -> np.ndarray:
        """Return the settings and the sizes of the filters, which a packed W no longer has."""
        return np.concatenate(
            [self.settings(**flags), [*self.images, *self.filters]], dtype=np.int64
        )


def _call(
    name: str, arrays: tuple[Array, ...], settings: np.ndarray, *shapes, aliases=None
) -> list[Array]:
    """Call the foreign function on the arrays; it returns one result for each shape."""
    native()
    for array in arrays:
        if array.dtype != jnp.float32:
            hint = "the XLA kernel, which takes every dtype"
            raise ChainruleError(WHERE, "arrays of float32", str(array.dtype), hint)
    results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    call = jax.ffi.ffi_call(
        f"chainrule_{name}", results, vmap_method="sequential", input_output_aliases=aliases
    )
    return list(call(*arrays, settings=settings))


def _biases(b: Array | None, g: Geometry) -> tuple[Array, ...]:
    if b is None:
        return ()
    _check_shape("b", b.shape, (1, 1, 1, g.filters[3]))
    return (b,)


def _check_four_axes(name: str, shape) -> None:
    if len(shape) != 4:
        raise ShapeError(WHERE, f"{name} with four axes", str(tuple(shape)))


def _check_shape(name: str, shape, expected) -> None:
    if tuple(shape) != tuple(expected):
        raise ShapeError(WHERE, f"{name} of shape {tuple(expected)}", str(tuple(shape)))


# Batch norm


def batch_norm_forward(
    Z: Array,
    gamma: Array,
    beta: Array,
    weights: Array | None,
    shortcut: Array | None,
    *,
    eps: float,
    relu: bool,
) -> tuple[Array, Array, Array]:
    """Return the output A of batch norm, with the mean and the variance of the batch."""
    arrays = [Z, gamma, beta, *(x for x in (weights, shortcut) if x is not None)]
    feature = _like(gamma)
    settings = _settings(weights is not None, shortcut is not None, relu)
    A, mean, variance = _call_batch_norm(
        "batch_norm", [_like(Z), feature, feature], eps, settings, arrays
    )
    return A, mean, variance


def batch_norm_backward(
    d_output: tuple[Array, Array, Array],
    A: Array | None,
    Z: Array,
    gamma: Array,
    mean: Array,
    variance: Array,
    weights: Array | None,
    *,
    eps: float,
    shortcut: bool,
) -> tuple[Array, Array, Array, Array | None]:
    """Return dZ, dγ, dβ, and dshortcut if there was a shortcut; A is None if there was no ReLU."""
    arrays = [*d_output, Z, gamma, mean, variance]
    arrays += [x for x in (weights, A) if x is not None]
    results = [_like(Z), _like(gamma), _like(gamma), *([_like(Z)] if shortcut else [])]
    settings = _settings(weights is not None, shortcut, A is not None)
    dZ, d_gamma, d_beta, *others = _call_batch_norm(
        "batch_norm_gradient", results, eps, settings, arrays
    )
    return dZ, d_gamma, d_beta, others[0] if shortcut else None


def _like(x: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, jnp.float32)


def _settings(*flags: bool) -> np.ndarray:
    return np.array(flags, np.int64)


def _call_batch_norm(
    name: str, results: list, eps: float, settings: np.ndarray, arrays: list
) -> list[Array]:
    native()
    call = jax.ffi.ffi_call(f"chainrule_{name}", results, vmap_method="sequential")
    return list(call(*arrays, settings=settings, epsilon=np.float32(eps)))
