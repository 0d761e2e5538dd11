"""From the files of pictures to their pixels: in several threads, a few hundred files at a time.

    in memory      where the pixels are few
    unread         else: decoded once into a temporary file, and read row by row from there

A file that cannot be read is named, with the number of others; `skip` leaves such files out, and is
None where there is no --skip-unreadable to speak of.
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
from chainrule.data.pictures import Picture, decode, look
from chainrule.data.pixel_store import PixelStore
from chainrule.data.streamed import Streamed
from chainrule.data.watching import tell
from chainrule.errors import DataError, DataWarning
from chainrule.memory import available_bytes

DEFAULT_SIZE = (64, 64)
IN_MEMORY = 2**28
"""Bytes that the pictures may take as float32, and a quarter of what is free."""
AT_A_TIME = 512
A = TypeVar("A")
B = TypeVar("B")


class Listing(NamedTuple):
    """Files of one part, and what each is called: below its folder, or in a table's line."""

    paths: Sequence[Path]
    names: Sequence[str]
    where: str = ""
    lines: Sequence[str] = ()

    def told(self, row: int, error: DataError) -> DataError:
        """The error, said with the line of the table that asks for the file."""
        if not self.lines:
            return error
        name = f"{self.where}, {self.lines[row]}, {self.names[row]}"
        return DataError(name, error.expected, error.got, error.hint)


@dataclass(frozen=True)
class Decoded:
    """The pixels of the files that can be read, `kept` being their numbers; the others' names."""

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
    """All parts, of the size and the number of channels that the chosen one has."""
    looks = {name: attempted(look, one.paths, one.told) for name, one in listings.items()}
    refused = [error for seen in looks.values() for error in errors_in(seen)]
    if refused and not skip:
        raise all_of(refused, skip)
    seen = [picture for picture in looks[chosen] if isinstance(picture, Picture)]
    if not seen:
        got = f"{len(refused):,} files of which none can be read, such as {refused[0].where}"
        raise DataError(where, "pictures", got, refused[0].hint)
    size = image_size or common_size(where, seen)
    grey = all(picture.grey for picture in seen)
    shape = (*size, *(() if grey else (3,)))
    count = sum(len(one.paths) for one in listings.values())
    room = min(IN_MEMORY, available_bytes() // 4)
    small = 4 * count * int(np.prod(shape)) <= room
    done, found = 0, {}
    for name, one in listings.items():
        good = [row for row, picture in enumerate(looks[name]) if isinstance(picture, Picture)]
        decoder = Decoder(one, good, shape, small)
        results = attempted(decoder, range(len(good)), lambda _, error: error, (done, count))
        done += len(good)
        refused += errors_in(results)
        found[name] = decoder.decoded(results)
    if refused and not skip:
        raise all_of(refused, skip)
    if refused:
        first, m = refused[0].where, f"{len(refused):,} of {count:,} pictures"
        said = f"{where}: left out {m} that cannot be read, the first {first}"
        warnings.warn(said, DataWarning, stacklevel=3)
    return found


class Decoder:
    """Decodes the picture of a row, and puts its pixels into an array or a temporary file."""

    def __init__(self, listing: Listing, rows: list[int], shape: tuple[int, ...], small: bool):
        self.listing, self.rows, self.shape = listing, rows, shape
        self.array = np.empty((len(rows), *shape), np.uint8) if small else None
        self.store = None if small else PixelStore(len(rows), shape, lambda i: self.pixels(i)[0])

    def pixels(self, i: int) -> tuple[np.ndarray, str]:
        """Of the i-th picture, and the sha256 of its file."""
        row = self.rows[i]
        try:
            n_H, n_W = self.shape[:2]
            return decode(self.listing.paths[row], (n_H, n_W), len(self.shape) == 2)
        except DataError as error:
            raise self.listing.told(row, error) from None

    def __call__(self, i: int) -> str:
        """Decode the i-th picture and keep it; what it adds to the digest."""
        pixels, digest = self.pixels(i)
        if self.array is not None:
            self.array[i] = pixels
        if self.store is not None:
            self.store.put(i, pixels)
            self.store.hashes[i] = row_hash(pixels)
        return f"{self.listing.names[self.rows[i]]} {digest}"

    def decoded(self, results: Sequence[str | DataError]) -> Decoded:
        """What has been kept."""
        good = [i for i, result in enumerate(results) if isinstance(result, str)]
        kept = np.array([self.rows[i] for i in good], np.intp)
        whole = self.array if self.array is not None else Streamed(self.store)  # pyright: ignore
        X = whole if len(good) == len(results) else whole[np.array(good, np.intp)]
        lost = sorted(set(range(len(self.listing.paths))) - set(kept.tolist()))
        digest = combined_digest(result for result in results if isinstance(result, str))
        return Decoded(X, kept, tuple(str(self.listing.names[i]) for i in lost), digest)


def attempted(
    function: Callable[[A], B],
    items: Sequence[A],
    told: Callable[[int, DataError], DataError],
    progress: tuple[int, int] | None = None,
) -> list[B | DataError]:
    """The function of every item, on several cores; the error in place of what fails."""

    def attempt(row: int) -> B | DataError:
        try:
            return function(items[row])
        except DataError as error:
            return told(row, error)

    results = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(items), AT_A_TIME):
            results += pool.map(attempt, range(start, min(start + AT_A_TIME, len(items))))
            if progress is not None:
                tell(progress[0] + len(results), progress[1])
    return results


def errors_in(results: Sequence[Any]) -> list[DataError]:
    """Those that failed."""
    return [result for result in results if isinstance(result, DataError)]


def all_of(errors: Sequence[DataError], skip: bool | None = False) -> DataError:
    """One message for all the files that fail; `skip` is None where they cannot be left out."""
    first, others = errors[0], [error.where for error in errors[1:4]]
    hints = [first.hint, "" if skip is None else "--skip-unreadable"]
    hint = ", or ".join(hint for hint in hints if hint)
    if not others:
        return DataError(first.where, first.expected, first.got, hint)
    more = f"{', '.join(others)} {'…' if len(errors) > 4 else ''}".rstrip()
    got = f"{first.got}; the same of {len(errors) - 1} more: {more}"
    return DataError(first.where, first.expected, got, hint)


def size_of_most(
    paths: Sequence[Path], longer_side: int, multiple: int = 1
) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """(n_H, n_W) of most pictures, smaller where a side is longer than this; and all their sizes.

    Both sides are multiples of `multiple`, so that all cells of a grid are whole.
    """
    sizes, counts = np.unique([look(path).size for path in paths], axis=0, return_counts=True)
    most = sizes[counts.argmax()].tolist()
    share = min(1.0, longer_side / max(most))
    n_H, n_W = (multiple * max(1, round(share * n / multiple)) for n in most)
    return (n_H, n_W), [(n_H, n_W) for n_H, n_W in sizes.tolist()]


def common_size(where: str, seen: Sequence[Picture]) -> tuple[int, int]:
    """The size that all have, or 64 by 64, which is said."""
    sizes = sorted({picture.size for picture in seen})
    if len(sizes) == 1:
        return sizes[0]
    listed = ", ".join("{}×{}".format(*size) for size in sizes[:3])
    more = f" and {len(sizes) - 3:,} more" if len(sizes) > 3 else ""
    made = "all stretched to {}×{}; --image-size says another size".format(*DEFAULT_SIZE)
    words = f"{where}: pictures of {len(sizes):,} sizes, {listed}{more}, {made}"
    warnings.warn(words, DataWarning, stacklevel=4)
    return DEFAULT_SIZE
