"""Measure the memory, refuse processes in which JAX cannot compute, and describe the machine.

A large allocation is checked before it is made: an error is better than a killed process. In a
process that was forked after JAX was used, the threads of JAX are missing and every computation
would wait for them for ever: this is an error too. A run
records the facts that are needed to reproduce it: versions, processor and device.
"""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import psutil
from jax._src import xla_bridge  # there is no public function that tells whether JAX was used

from chainrule.errors import ChainruleError, DataError
from chainrule.formatting import format_bytes
from chainrule.kernels import native as onednn

CONTAINER = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Return the memory that can still be allocated, on this machine or in this container."""
    return min(psutil.virtual_memory().available, _free_in_container())


def _free_in_container() -> int:
    """Return the container's limit minus its used memory.

    Cached file pages count as used, but are freed when needed.
    """
    try:
        limit, used = (
            int((CONTAINER / name).read_text()) for name in ("memory.max", "memory.current")
        )
        entries = dict(
            line.split() for line in (CONTAINER / "memory.stat").read_text().splitlines()
        )
        return limit - used + int(entries["inactive_file"])
    except (OSError, KeyError, ValueError):  # no container, or one without a limit ("max")
        return sys.maxsize


def free_on_device() -> int:
    """Return the accelerator's free memory in bytes, or the host's if it is not reported."""
    stats = jax.local_devices()[0].memory_stats()
    return stats["bytes_limit"] - stats["bytes_in_use"] if stats else available_bytes()


def check_memory(where: str, needed: int, hint: str, *, on_device: bool = False) -> None:
    """Refuse an allocation that does not fit into memory, before it is made."""
    free = free_on_device() if on_device else available_bytes()
    if needed > free:
        raise DataError(
            where, f"at most {format_bytes(free)}, the free memory", format_bytes(needed), hint
        )


@contextmanager
def memory_errors(where: str, hint: str) -> Iterator[None]:
    """Raise one DataError if JAX or NumPy runs out of memory in spite of the checks before."""
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as reason:
        if not isinstance(reason, MemoryError) and "RESOURCE_EXHAUSTED" not in str(reason):
            raise
        got = (str(reason) or "less than is needed").splitlines()[0].rstrip(".")
        raise DataError(where, "enough free memory", got, hint) from None


_forked_after_use = False


def _note_fork() -> None:
    """Note in a new child process whether its parent had used JAX."""
    global _forked_after_use
    _forked_after_use = _forked_after_use or xla_bridge.backends_are_initialized()


if hasattr(os, "register_at_fork"):  # not on Windows, where no process forks
    os.register_at_fork(after_in_child=_note_fork)


def check_process() -> None:
    """Refuse to compute in a process that was forked after JAX was used, since it would hang."""
    if _forked_after_use:
        raise ChainruleError(
            "this process",
            "one in which JAX can compute",
            "a process that was forked after JAX had been used, in which JAX would wait for ever",
            'multiprocessing.get_context("spawn") or "forkserver", or the backend loky of joblib',
        )


PROCESSOR = Path("/proc/cpuinfo")
BFLOAT16 = {"avx512_bf16", "avx_ne_convert", "amx_bf16", "bf16"}
"""The flags of processors with instructions for bfloat16."""
PACKAGES = ("chainrule", "jax", "jaxlib", "equinox", "numpy", "scikit-learn", "pandas")


def usable_cores() -> int:
    """Return the number of cores that this process may use, which `--threads` can limit."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):  # not on macOS
        return len(process.cpu_affinity())
    return psutil.cpu_count() or 1


def describe_machine() -> dict[str, Any]:
    """Return the versions, cores and device of this machine."""
    return {
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "cores": usable_cores(),
        "device": jax.default_backend(),
        "kernel": "native" if onednn.available() else "xla",
    }


def describe_devices() -> dict[str, Any]:
    """Describe the devices, the convolution kernel and why it is used, and bfloat16 support."""
    native = onednn.available()
    why = onednn.reason()
    return {
        "backend": jax.default_backend(),
        "jax": version("jax"),
        "devices": [f"{device.id}: {device.device_kind}" for device in jax.devices()],
        "cores": usable_cores(),
        "kernel": {
            "convolution": "the native kernel" if native else "XLA's own",
            "why": why,
            "otherwise": "XLA's own",
        },
        "bfloat16": _bfloat16(),
    }


def _bfloat16() -> str:
    """Return a sentence on whether training in bfloat16 is faster than in float32."""
    if jax.default_backend() != "cpu":
        return "the device supports it: --precision bfloat16 is faster than float32"
    flags = sorted(BFLOAT16 & _processor_flags())
    if flags:
        return f"the processor supports it ({', '.join(flags)}): try --precision bfloat16"
    return "it works, but is not faster: this processor converts it to float32 first"


def _processor_flags() -> set[str]:
    """Return the processor's flags as listed by Linux; an empty set on other systems."""
    try:
        lines = PROCESSOR.read_text().splitlines()
    except OSError:
        return set()
    return {
        flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()
    }
