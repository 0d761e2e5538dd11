"""Parse files in a process of its own, for parsers that hang or crash on some damaged files.

    python isolated.py texts FILE KEY LIMIT SECONDS     texts of variable length in an HDF5 file
    python isolated.py matlab FILE LIMIT SECONDS        all arrays of a .mat file

For some damaged files, the HDF5 library searches for texts for ever, and SciPy's reader of .mat
files ends the process. The result is written to the standard output, unless it needs more than
LIMIT bytes: many texts can share one part of a file. This file imports nothing from chainrule, so
that the process starts in less than half a second.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

AT_A_TIME = 1000
SECONDS, PER_SECOND = 3, 5000
"""The processor time for parsing: SECONDS, and a second more for each PER_SECOND texts."""
BYTES_PER_SECOND = 10**7
"""A second more is allowed for each BYTES_PER_SECOND of a .mat file."""
WAITING = 20
"""The time for waiting is longer by this factor, since the machine may be busy."""


def read_texts(path: Path, key: str, count: int, limit: int) -> list[str]:
    """Return the texts of an array in the order of its values; raise ValueError on damage."""
    seconds = SECONDS + count // PER_SECOND
    return json.loads(_output_of("texts", str(path), key, str(limit), seconds=seconds))


def check_matlab(path: Path, limit: int) -> None:
    """Raise ValueError if the arrays of a .mat file cannot be read."""
    seconds = SECONDS + path.stat().st_size // BYTES_PER_SECOND
    _output_of("matlab", str(path), str(limit), seconds=seconds)


def _output_of(*arguments: str, seconds: int) -> bytes:
    """Return what this file prints for the arguments; raise ValueError if it fails."""
    command = [sys.executable, "-P", __file__, *arguments, str(seconds)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=WAITING * seconds, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError("its parser does not end") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else "its parser does not end, or crashes")
    return done.stdout


# In the other process


def print_texts(file: str, key: str, limit: int, seconds: int) -> None:
    """Print the texts of an array of an HDF5 file as a JSON list."""
    import h5py

    limit_time(seconds)
    found: list[str] = []
    with h5py.File(file, "r") as arrays:
        dataset = arrays[key]
        assert isinstance(dataset, h5py.Dataset)
        values: Any = dataset.asstr()
        if dataset.ndim == 0:
            found = [values[()]]
        elif dataset.ndim > 1:
            found = [str(text) for text in values[()].reshape(-1)]
        for start in range(0, len(dataset) if dataset.ndim == 1 else 0, AT_A_TIME):
            found += values[start : start + AT_A_TIME].tolist()
            limit -= sum(map(len, found[start:]))
            if limit < 0:
                raise ValueError("more text than fits into the free memory")
    sys.stdout.write(json.dumps(found))


def parse_matlab(file: str, limit: int, seconds: int) -> None:
    """Read all arrays of a .mat file once, unless they need too much memory."""
    from math import prod

    from scipy.io import loadmat, whosmat

    limit_time(seconds)
    if sum(8 * prod(map(int, shape)) for _, shape, _ in whosmat(file)) > limit:
        raise ValueError("more numbers than fit into the free memory")
    loadmat(file)


def limit_time(seconds: int) -> None:
    """End this process after so many more seconds of processor time, where the system can do it.

    The time for importing the parser, which depends on the machine, does not count.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    end = int(time.process_time()) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (end, end))


if __name__ == "__main__":
    action, *rest, most, duration = sys.argv[1:]
    if action == "texts":
        print_texts(rest[0], rest[1], int(most), int(duration))
    else:
        parse_matlab(rest[0], int(most), int(duration))
