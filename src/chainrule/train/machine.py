"""What a repetition should share: versions, processor, device."""

import os
import platform
from importlib.metadata import version
from typing import Any

import jax

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
    }
