"""The choice between the native kernels and XLA."""

import numpy as np
from jaxtyping import Array

from chainrule.kernels import onednn


def native(A: Array) -> bool:
    """Return whether to use the native kernels: float32 on a CPU with the wheel installed."""
    return A.dtype == np.float32 and onednn.available()
