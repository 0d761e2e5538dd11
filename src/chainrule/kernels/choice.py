"""Which kernel is in use on this machine."""

from importlib.util import find_spec

import numpy as np
from jaxtyping import Array


def native(A: Array) -> bool:
    """Whether the native kernels take this: float32 on a CPU, where the wheel is installed."""
    if A.dtype != np.float32 or find_spec("chainrule.kernels.onednn") is None:
        return False
    from chainrule.kernels import onednn

    return onednn.available()
