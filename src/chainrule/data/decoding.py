"""Decode image files into pixels, in several threads and in chunks of a few hundred files.

    small sets     in memory
    large sets     decoded once into a temporary file, and read from there row by row

Unreadable files raise one error that names the first and counts the others. `skip` leaves them out
instead; it is None where the command has no --skip-unreadable option.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from chainrule.data.duplicates import row_hash
from chainrule.data.files import combined_digest
from chainrule.data.pictures import ImageHeader, decode, look
from chainrule.data.pixel_store import PixelStore
from chainrule.data.streamed import Streamed
from chainrule.data.watching import tell
from chainrule.errors import DataError, DataWarning
from chainrule.memory import available_bytes

DEFAULT_SIZE = (64, 64)
IN_MEMORY = 2**28
"""Images that need more bytes (as float32), or over a quarter of the free memory, stay on disk."""
AT_A_TIME = 512
A = TypeVar("A")
B = TypeVar("B")


class Listing(NamedTuple):
    """The image files of one set, with their names in messages: paths, or lines of a table."""

    paths: Sequence[Path]
    names: Sequence[str]
    where: str = ""
    lines: Sequence[str] = ()

    def located(self, row: int, error: DataError) -> DataError:
        """Return the error with the line of the table that lists the file."""
        if not self.lines:
            return error
        name = f"{self.where}, {self.lines[row]}, {self.names[row]}"
        return DataError(name, error.expected, error.got, error.hint)


@dataclass(frozen=True)
class Decoded:
    """Pixels of the readable files, `kept` with their indices; `skipped` names the others."""

    X: Any  # np.ndarray or Streamed
    kept: np.ndarray
    skipped: tuple[str, ...]
    digest: str


def decode_parts(
    where: str,
    listings: Mapping[str, Listing],
    image_size: tuple[int, int] | None,
    chosen: str,
    *,
    skip: bool | None = False,
) -> dict[str, Decoded]:
    """Decode all sets, with the size and the number of channels of the chosen set."""
    looks = {name: map_in_threads(look, one.paths, one.located) for name, one in listings.items()}
    refused = [error for seen in looks.values() for error in errors_in(seen)]
    if refused and not skip:
        raise combined_error(refused, skip)
    seen = [picture for picture in looks[chosen] if isinstance(picture, ImageHeader)]
    if not seen:
        got = f"{len(refused):,} files, none of them readable, such as {refused[0].where}"
        raise DataError(where, "images", got, refused[0].hint)
    size = image_size or common_size(where, seen)
    grey = all(picture.grey for picture in seen)
    shape = (*size, *(() if grey else (3,)))
    count = sum(len(one.paths) for one in listings.values())
    limit = min(IN_MEMORY, available_bytes() // 4)
    small = 4 * count * int(np.prod(shape)) <= limit
    done, found = 0, {}
    for name, one in listings.items():
        good = [row for row, picture in enumerate(looks[name]) if isinstance(picture, ImageHeader)]
        decoder = Decoder(one, good, shape, small)
        results = map_in_threads(decoder, range(len(good)), lambda _, error: error, (done, count))
        done += len(good)
        refused += errors_in(results)
        found[name] = decoder.decoded(results)
    if refused and not skip:
        raise combined_error(refused, skip)
    if refused:
        skipped = f"skipped {len(refused):,} of {count:,} images that cannot be read"
        message = f"{where}: {skipped}, the first {refused[0].where}"
        warnings.warn(message, DataWarning, stacklevel=3)
    return found


class Decoder:
    """Decode the image of a row into an array or a temporary file."""

    def __init__(self, listing: Listing, rows: list[int], shape: tuple[int, ...], small: bool):
        self.listing, self.rows, self.shape = listing, rows, shape
        self.array = np.empty((len(rows), *shape), np.uint8) if small else None
        self.store = None if small else PixelStore(len(rows), shape, lambda i: self.pixels(i)[0])

    def pixels(self, i: int) -> tuple[np.ndarray, str]:
        """Return the pixels of the i-th image, and the sha256 of its file."""
        row = self.rows[i]
        try:
            n_H, n_W = self.shape[:2]
            return decode(self.listing.paths[row], (n_H, n_W), len(self.shape) == 2)
        except DataError as error:
            raise self.listing.located(row, error) from None

    def __call__(self, i: int) -> str:
        """Decode and store the i-th image; return its entry in the digest."""
        pixels, digest = self.pixels(i)
        if self.array is not None:
            self.array[i] = pixels
        if self.store is not None:
            self.store.put(i, pixels)
            self.store.hashes[i] = row_hash(pixels)
        return f"{self.listing.names[self.rows[i]]} {digest}"

    def decoded(self, results: Sequence[str | DataError]) -> Decoded:
        """Return the stored images."""
        good = [i for i, result in enumerate(results) if isinstance(result, str)]
        kept = np.array([self.rows[i] for i in good], np.intp)
        whole = self.array if self.array is not None else Streamed(self.store)  # pyright: ignore
        X = whole if len(good) == len(results) else whole[np.array(good, np.intp)]
        skipped = sorted(set(range(len(self.listing.paths))) - set(kept.tolist()))
        digest = combined_digest(result for result in results if isinstance(result, str))
        return Decoded(X, kept, tuple(str(self.listing.names[i]) for i in skipped), digest)


def map_in_threads(
    function: Callable[[A], B],
    items: Sequence[A],
    located: Callable[[int, DataError], DataError],
    progress: tuple[int, int] | None = None,
) -> list[B | DataError]:
    """Apply the function to every item, in threads; a DataError takes the place of its result."""

    def attempt(row: int) -> B | DataError:
        try:
            return function(items[row])
        except DataError as error:
            return located(row, error)

    results = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(items), AT_A_TIME):
            results += pool.map(attempt, range(start, min(start + AT_A_TIME, len(items))))
            if progress is not None:
                tell(progress[0] + len(results), progress[1])
    return results


def errors_in(results: Sequence[Any]) -> list[DataError]:
    """Return the errors among the results."""
    return [result for result in results if isinstance(result, DataError)]


def combined_error(errors: Sequence[DataError], skip: bool | None = False) -> DataError:
    """Combine the errors of all failed files; `skip` is None where files cannot be skipped."""
    first, others = errors[0], [error.where for error in errors[1:4]]
    hints = [first.hint, "" if skip is None else "--skip-unreadable"]
    hint = ", or ".join(hint for hint in hints if hint)
    if not others:
        return DataError(first.where, first.expected, first.got, hint)
    more = f"{', '.join(others)} {'…' if len(errors) > 4 else ''}".rstrip()
    got = f"{first.got}; likewise for {len(errors) - 1} more: {more}"
    return DataError(first.where, first.expected, got, hint)


def most_frequent_size(
    paths: Sequence[Path], longer_side: int, multiple: int = 1
) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Return the most frequent size (n_H, n_W), limited to `longer_side`; and all sizes that occur.

    Both sides are multiples of `multiple`, so that a grid divides the image into whole cells.
    """
    sizes, counts = np.unique([look(path).size for path in paths], axis=0, return_counts=True)
    most = sizes[counts.argmax()].tolist()
    share = min(1.0, longer_side / max(most))
    n_H, n_W = (multiple * max(1, round(share * n / multiple)) for n in most)
    return (n_H, n_W), [(n_H, n_W) for n_H, n_W in sizes.tolist()]


def common_size(where: str, seen: Sequence[ImageHeader]) -> tuple[int, int]:
    """Return the size that all images have, or 64 by 64 with a warning."""
    sizes = sorted({picture.size for picture in seen})
    if len(sizes) == 1:
        return sizes[0]
    listed = ", ".join("{}×{}".format(*size) for size in sizes[:3])
    more = f" and {len(sizes) - 3:,} more" if len(sizes) > 3 else ""
    action = "all resized to {}×{}; choose another size by --image-size".format(*DEFAULT_SIZE)
    message = f"{where}: images of {len(sizes):,} sizes, {listed}{more}, {action}"
    warnings.warn(message, DataWarning, stacklevel=4)
    return DEFAULT_SIZE
