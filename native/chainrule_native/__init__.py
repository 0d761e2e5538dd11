"""Convolutions and batch norm on a CPU for chainrule, as XLA's foreign functions.

The functions of the library are plain C functions: one wheel serves every version of Python.

The threads of OpenMP, where nobody says otherwise, hardly spin when they have nothing to do: XLA
works on the same cores between two calls, and on a busy machine a spinning thread keeps from
running what it waits for. OpenMP reads this once, as it is loaded.
"""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

TARGETS = (
    "chainrule_attention",
    "chainrule_attention_gradient",
    "chainrule_batch_norm",
    "chainrule_batch_norm_gradient",
    "chainrule_convolution",
    "chainrule_convolution_filter_gradient",
    "chainrule_convolution_input_gradient",
    "chainrule_convolution_pack",
    "chainrule_convolution_packed",
    "chainrule_recurrence",
    "chainrule_recurrence_gradient",
)
"""The foreign functions of the library."""
NAME = 100


def _load() -> ctypes.CDLL:
    """Load the library, and OpenMP with it, whose threads shall hardly spin."""
    spin = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}
    ours = {} if {"OMP_WAIT_POLICY", *spin} & set(os.environ) else spin
    os.environ |= ours
    try:
        return ctypes.CDLL(str(Path(__file__).with_name("kernels.so")))
    except OSError as error:
        raise ImportError(str(error)) from error
    finally:
        for name in ours:
            del os.environ[name]


_library = _load()
_library.chainrule_error.restype = ctypes.c_char_p
_library.chainrule_plans_kept.restype = ctypes.c_int64
_library.chainrule_kernel.restype = ctypes.c_int64
_library.chainrule_packed_size.restype = ctypes.c_int64
_library.chainrule_convolve.restype = ctypes.c_int64
_library.chainrule_onednn_time.restype = ctypes.c_double


def targets() -> dict[str, Any]:
    """Return the foreign functions by name, as JAX registers them."""
    return {name: jax.ffi.pycapsule(getattr(_library, name)) for name in TARGETS}


def onednn_version() -> str:
    """Return the version of oneDNN."""
    version = (ctypes.c_int64 * 3)()
    _library.chainrule_onednn_version(version)
    return ".".join(map(str, version))


def plans_kept() -> int:
    """Return how many shapes are remembered."""
    return _library.chainrule_plans_kept()


def kernel(
    way: str,
    images: Sequence[int],
    filters: Sequence[int],
    settings: Sequence[int],
    packed: bool = False,
) -> str:
    """Return what computes a convolution: forward, input_gradient or filter_gradient.

    `settings` are the stride, the padding before and after, and the groups.
    """
    name = ctypes.create_string_buffer(NAME)
    sizes = _four(images), _four(filters), _four(settings)
    _checked(_library.chainrule_kernel(way.encode(), *sizes, packed, name, ctypes.c_int64(NAME)))
    return name.value.decode()


def packed_size(images: Sequence[int], filters: Sequence[int], settings: Sequence[int]) -> int:
    """Return how many floats packed filters take."""
    return _checked(_library.chainrule_packed_size(_four(images), _four(filters), _four(settings)))


def convolve(way: str, A_prev: Any, W: Any, dZ: Any, settings: Sequence[int]) -> None:
    """Compute one convolution without XLA, and overwrite the array of its result."""
    arrays = _with_sizes(A_prev, W, dZ)
    _checked(_library.chainrule_convolve(way.encode(), *arrays, _four(settings)))


def onednn_time(
    way: str, A_prev: Any, W: Any, dZ: Any, settings: Sequence[int], repeats: int = 21
) -> float:
    """Return the median milliseconds of oneDNN's primitive alone, and overwrite its result."""
    arrays = _with_sizes(A_prev, W, dZ)
    numbers = _four(settings), ctypes.c_int64(repeats)
    return _checked(_library.chainrule_onednn_time(way.encode(), *arrays, *numbers))


def _with_sizes(*arrays: Any) -> list[Any]:
    """Return the address and the sizes of each array, which must be plain float32 in memory."""
    found: list[Any] = []
    for array in arrays:
        if array.dtype != "float32" or not array.flags.c_contiguous:
            raise TypeError("expected arrays of float32 with contiguous rows")
        found += [ctypes.c_void_p(array.ctypes.data), _four(array.shape)]
    return found


def _four(sizes: Sequence[int]) -> Any:
    """Return four sizes as an array of the library."""
    if len(sizes) != 4:
        raise ValueError(f"expected four sizes; got {tuple(sizes)}")
    return (ctypes.c_int64 * 4)(*map(int, sizes))


def _checked(result: Any) -> Any:
    """Return the result, or raise what the library complained about."""
    if result < 0:
        raise ValueError(_library.chainrule_error().decode())
    return result
