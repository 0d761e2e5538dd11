"""What a repetition should share: versions, processor, device."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from chainrule.kernels import onednn

PROCESSOR = Path("/proc/cpuinfo")
BFLOAT16 = {"avx512_bf16", "avx_ne_convert", "amx_bf16", "bf16"}
"""Of a processor that multiplies bfloat16 itself."""
PACKAGES = ("chainrule", "jax", "jaxlib", "equinox", "numpy", "scikit-learn", "pandas")


def usable_cores() -> int:
    """The processors that this process may use, of which `--threads` is a limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> dict[str, Any]:
    """Versions, cores and device, as they are here and now."""
    return {
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "cores": usable_cores(),
        "device": jax.default_backend(),
        "kernel": "native" if onednn.available() else "xla",
    }


def describe_devices() -> dict[str, Any]:
    """What computes here, and how: the devices, the kernel of convolutions and why, bfloat16."""
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
    """Whether training in it is faster than in float32."""
    if jax.default_backend() != "cpu":
        return "the device multiplies it: --precision bfloat16 is faster than float32"
    there = sorted(BFLOAT16 & _processor_flags())
    if there:
        return f"the processor multiplies it ({', '.join(there)}): try --precision bfloat16"
    return "it works, but this processor widens it to float32 first: nothing is won"


def _processor_flags() -> set[str]:
    """What Linux says of the processor; nothing elsewhere."""
    try:
        lines = PROCESSOR.read_text().splitlines()
    except OSError:
        return set()
    return {
        flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()
    }
