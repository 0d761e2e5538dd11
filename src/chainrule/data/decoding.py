"""Decode image files into pixels, in several threads and in chunks of a few hundred files.

    small sets     are kept in memory
    large sets     are decoded once into a temporary file, and read from there row by row

Unreadable files raise one error that names the first and counts the others. `skip` leaves them out
instead; it is None where the command has no --skip-unreadable option. No other file reads images
through Pillow.
"""

import hashlib
import io
import struct
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from chainrule.data.files import combined_digest, damaged
from chainrule.data.progress import report_progress
from chainrule.data.split import row_hash
from chainrule.data.streaming import PixelStore, Streamed
from chainrule.errors import DataError, DataWarning, MissingExtraError
from chainrule.host.machine import available_bytes

# The header and the pixels of one file

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
# Errors that Pillow raises for damaged files.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap height and width
EXIF_ORIENTATION = 0x0112


class ImageHeader(NamedTuple):
    """The header of an image: the displayed size (n_H, n_W), and whether it is grey."""

    size: tuple[int, int]
    grey: bool


def check_pillow(where: str) -> None:
    """Raise an error with the missing extra if Pillow is not installed."""
    if find_spec("PIL") is None:
        raise MissingExtraError(where, "Pillow", "images")


def read_image_header(path: Path) -> ImageHeader:
    """Read the size and the colour mode, without decoding the pixels."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            # In a PNG, EXIF data may follow the pixels; finding it would decode them.
            late = image.format == "PNG" and "exif" not in image.info
            turned = not late and image.getexif().get(EXIF_ORIENTATION) in TURNED
            mode = image.mode
    except FileNotFoundError:
        raise DataError(str(path), "an image", "no such file", "adding the file") from None
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from error
    if mode in ("I", "F"):
        hint = "saving it with 8 or 16 bits"
        raise DataError(str(path), "8 or 16 bits per channel", "32", hint)
    size = (width, height) if turned else (height, width)
    return ImageHeader(size, mode in ("1", "L", "LA") or mode.startswith("I;16"))


def decode_image(path: Path, size: tuple[int, int], grey: bool) -> tuple[np.ndarray, str]:
    """Return the pixels, (n_H, n_W) or (n_H, n_W, 3) in bytes, and the sha256 of the file."""
    from PIL import Image, ImageOps

    try:
        raw = path.read_bytes()
        with Image.open(io.BytesIO(raw)) as opened:
            image = on_white(eight_bits(ImageOps.exif_transpose(opened)))
            image = image.convert("L" if grey else "RGB")
            height, width = size
            if image.size != (width, height):
                image = image.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(image), hashlib.sha256(raw).hexdigest()
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from error


def decode_mask(path: Path, coloured: bool) -> tuple[np.ndarray, str]:
    """Return a mask as it is stored, and the sha256 of the file.

    The result is (n_H, n_W) values (palette indices for a palette image), or, if `coloured`, (n_H,
    n_W, 3) colours in bytes.
    """
    from PIL import Image, ImageOps

    try:
        raw = path.read_bytes()
        with Image.open(io.BytesIO(raw)) as opened:
            image = ImageOps.exif_transpose(opened)
            image.load()
            if coloured:
                image = eight_bits(image).convert("RGB")
            elif image.mode in ("LA", "PA"):
                image = image.getchannel(0)
            pixels = np.asarray(image, np.uint8 if image.mode == "1" else None)
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from error
    if not coloured and pixels.ndim == 3 and (pixels[..., :1] == pixels[..., :3]).all():
        pixels = pixels[..., 0]
    if not coloured and (pixels.ndim != 2 or pixels.dtype.kind == "f"):
        hint = "--classes FILE, with the name and the colour of each class"
        raise DataError(str(path), "one whole number per pixel, its class", "colours", hint)
    return pixels, hashlib.sha256(raw).hexdigest()


def eight_bits(image):
    """Convert a 16-bit grey image to 8 bits; Pillow itself would clip values above 255."""
    from PIL import Image

    if not image.mode.startswith("I;16"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def on_white(image):
    """Draw the image on white, since dropping the transparency would reveal hidden colours."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    background = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(background, image)


def unreadable(path: Path, error: BaseException) -> DataError:
    """Return the error for an image that is damaged or truncated."""
    return damaged(path, "a complete image", error, "removing the file or copying it again")


# All images of a data set

DEFAULT_SIZE = (64, 64)
IN_MEMORY = 2**28
"""Images that need more bytes (as float32), or over a quarter of the free memory, stay on disk."""
AT_A_TIME = 512
A = TypeVar("A")
B = TypeVar("B")


class Listing(NamedTuple):
    """The image files of one set, and how messages refer to each of them.

    A message names an image by its path, or by its line in the table that lists it.
    """

    paths: Sequence[Path]
    names: Sequence[str]
    where: str = ""
    lines: Sequence[str] = ()

    def located(self, row: int, error: DataError) -> DataError:
        """Return the error with the line of the table in which the file is listed."""
        if not self.lines:
            return error
        name = f"{self.where}, {self.lines[row]}, {self.names[row]}"
        return DataError(name, error.expected, error.got, error.hint)


@dataclass(frozen=True)
class Decoded:
    """The pixels of the readable files, with their row numbers; `skipped` names the others."""

    X: Any  # np.ndarray or Streamed
    readable_rows: np.ndarray
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
    """Decode the images of all sets, at the size and with the channels of the set `chosen`."""
    headers = {
        name: map_in_threads(read_image_header, one.paths, one.located)
        for name, one in listings.items()
    }
    refused = [error for seen in headers.values() for error in errors_in(seen)]
    if refused and not skip:
        raise combined_error(refused, skip)
    seen = [header for header in headers[chosen] if isinstance(header, ImageHeader)]
    if not seen:
        got = f"{len(refused):,} files, none of them readable, such as {refused[0].where}"
        raise DataError(where, "images", got, refused[0].hint)
    size = image_size or common_size(where, seen)
    grey = all(header.grey for header in seen)
    shape = (*size, *(() if grey else (3,)))
    count = sum(len(one.paths) for one in listings.values())
    limit = min(IN_MEMORY, available_bytes() // 4)
    small = 4 * count * int(np.prod(shape)) <= limit
    done, found = 0, {}
    for name, one in listings.items():
        good = [row for row, header in enumerate(headers[name]) if isinstance(header, ImageHeader)]
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
            return decode_image(self.listing.paths[row], (n_H, n_W), len(self.shape) == 2)
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
    """Apply the function to every item, in threads; a DataError is returned as a result."""

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
                report_progress(progress[0] + len(results), progress[1])
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
    sizes, counts = np.unique(
        [read_image_header(path).size for path in paths], axis=0, return_counts=True
    )
    most = sizes[counts.argmax()].tolist()
    share = min(1.0, longer_side / max(most))
    n_H, n_W = (multiple * max(1, round(share * n / multiple)) for n in most)
    return (n_H, n_W), [(n_H, n_W) for n_H, n_W in sizes.tolist()]


def common_size(where: str, seen: Sequence[ImageHeader]) -> tuple[int, int]:
    """Return the common size of all images; if sizes differ, warn and return 64 by 64."""
    sizes = sorted({header.size for header in seen})
    if len(sizes) == 1:
        return sizes[0]
    listed = ", ".join("{}×{}".format(*size) for size in sizes[:3])
    more = f" and {len(sizes) - 3:,} more" if len(sizes) > 3 else ""
    action = "all resized to {}×{}; choose another size by --image-size".format(*DEFAULT_SIZE)
    message = f"{where}: images of {len(sizes):,} sizes, {listed}{more}, {action}"
    warnings.warn(message, DataWarning, stacklevel=4)
    return DEFAULT_SIZE
