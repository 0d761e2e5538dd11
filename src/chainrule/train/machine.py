"""What a repetition should share: versions, processor, device."""

import os
import platform
from importlib.metadata import version
from typing import Any

import jax

PACKAGES = ("chainrule", "jax", "jaxlib", "equinox", "numpy", "scikit-learn", "pandas")


def describe_machine() -> dict[str, Any]:
    """Versions, cores and device, as they are here and now."""
    return {
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "cores": os.cpu_count(),
        "device": jax.default_backend(),
    }
