"""What is needed next is fetched while the device works on what is here."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from chainrule.data.streamed import is_streamed


def rows_ahead(X: Any, parts: Sequence[slice]) -> Iterator[np.ndarray]:
    """These rows of X, part by part; what is not in memory is read one part ahead."""
    if not is_streamed(X):
        yield from (X[part] for part in parts)
        return
    with ThreadPoolExecutor(1) as reader:
        coming = [reader.submit(np.asarray, X[part]) for part in parts[:1]]
        for part in parts[1:]:
            here = coming.pop().result()
            coming.append(reader.submit(np.asarray, X[part]))
            yield here
        for last in coming:
            yield last.result()
