"""Which kernel is in use on this machine."""

import numpy as np
from jaxtyping import Array

from chainrule.kernels import onednn


def native(A: Array) -> bool:
    """Whether the native kernels take this: float32 on a CPU, where the wheel is installed."""
    return A.dtype == np.float32 and onednn.available()
