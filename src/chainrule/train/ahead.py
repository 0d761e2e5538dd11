"""Prefetch: read the next rows from disk while the device works on the current ones."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from chainrule.data.streamed import is_streamed


def rows_ahead(X: Any, parts: Sequence[slice]) -> Iterator[np.ndarray]:
    """Yield the rows of X slice by slice; rows that are not in memory are read one slice ahead."""
    if not is_streamed(X):
        yield from (X[part] for part in parts)
        return
    with ThreadPoolExecutor(1) as reader:
        pending = [reader.submit(np.asarray, X[part]) for part in parts[:1]]
        for part in parts[1:]:
            rows = pending.pop().result()
            pending.append(reader.submit(np.asarray, X[part]))
            yield rows
        for last in pending:
            yield last.result()
