"""Describe what reproducing a run depends on: versions, processor and device."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from chainrule.kernels import onednn

PROCESSOR = Path("/proc/cpuinfo")
BFLOAT16 = {"avx512_bf16", "avx_ne_convert", "amx_bf16", "bf16"}
"""The flags of processors with instructions for bfloat16."""
PACKAGES = ("chainrule", "jax", "jaxlib", "equinox", "numpy", "scikit-learn", "pandas")


def usable_cores() -> int:
    """Return the number of cores that this process may use, which `--threads` can limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    """Return the devices, the convolution kernel with the reason for it, and bfloat16 support."""
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
