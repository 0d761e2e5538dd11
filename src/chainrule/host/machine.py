"""Measure the memory and describe the machine.

A large allocation is checked before it is made: an error is better than a killed process. A run
records the facts that are needed to reproduce it: versions, processor and device.
"""

import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import psutil

from chainrule.errors import DataError
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


def check_memory(where: str, needed: int, hint: str) -> None:
    """Refuse an allocation that does not fit into memory, before it is made."""
    free = available_bytes()
    if needed > free:
        raise DataError(
            where, f"at most {format_bytes(free)}, the free memory", format_bytes(needed), hint
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
