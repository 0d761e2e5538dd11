"""Read the texts of variable length in an HDF5 file, in a process of its own.

    python hdf5_texts.py FILE KEY LIMIT SECONDS

For some damaged files, the HDF5 library searches for such texts for ever or ends the process. The
texts are written to the standard output as a JSON list, unless they have more than LIMIT letters in
all: many of them can share one part of the file. This file imports nothing from chainrule, so that
the process starts in a third of a second.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

AT_A_TIME = 1000
SECONDS, PER_SECOND = 3, 5000
"""The processor time for reading texts: SECONDS, and a second more for each PER_SECOND of them."""
WAITING = 20
"""The time for waiting is longer by this factor, since the machine may be busy."""


def read_texts(path: Path, key: str, count: int, limit: int) -> list[str]:
    """Return the texts of an array in the order of its values; raise ValueError on damage."""
    seconds = SECONDS + count // PER_SECOND
    command = [sys.executable, "-P", __file__, str(path), key, str(limit), str(seconds)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=WAITING * seconds, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError("its texts cannot be found") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else "its texts cannot be found")
    return json.loads(done.stdout)


def main(file: str, key: str, limit: int) -> list[str]:
    """Read the texts in this process."""
    import h5py

    found: list[str] = []
    with h5py.File(file, "r") as arrays:
        dataset = arrays[key]
        assert isinstance(dataset, h5py.Dataset)
        values: Any = dataset.asstr()
        if dataset.ndim != 1:
            return [str(text) for text in values[()].reshape(-1)] if dataset.ndim else [values[()]]
        for start in range(0, len(dataset), AT_A_TIME):
            found += values[start : start + AT_A_TIME].tolist()
            limit -= sum(map(len, found[start:]))
            if limit < 0:
                raise ValueError("more text than fits into the free memory")
    return found


def limit_time(seconds: int) -> None:
    """End this process after so many seconds of processor time, where the system can do it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


if __name__ == "__main__":
    limit_time(int(sys.argv[4]))
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
