"""Convolutions on a CPU for chainrule, as XLA's foreign functions.

The threads of OpenMP, where nobody says otherwise, hardly spin when they have nothing to do: XLA
works on the same cores between two calls, and on a busy machine a spinning thread keeps from
running what it waits for. OpenMP reads this once, as it is loaded.
"""

import os

if {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & set(os.environ):
    from chainrule_native import _native
else:
    os.environ["GOMP_SPINCOUNT"] = "1000"
    os.environ["KMP_BLOCKTIME"] = "0"
    try:
        from chainrule_native import _native
    finally:
        del os.environ["GOMP_SPINCOUNT"], os.environ["KMP_BLOCKTIME"]

convolve = _native.convolve
kernel = _native.kernel
onednn_time = _native.onednn_time
onednn_version = _native.onednn_version
packed_size = _native.packed_size
plans_kept = _native.plans_kept
targets = _native.targets
