"""Decode image files into pixels, in several threads and in chunks of a few hundred files.

    small sets     are kept in memory
    large sets     are decoded once into a temporary file, and read from there row by row

Unreadable files raise one error that names the first and counts the others. `skip` leaves them out
instead; it is None where the command has no --skip-unreadable option. No other file reads images
through Pillow, and only with `reading`: whatever a file contains, only the documented formats are
tried (Pillow would start Ghostscript for PostScript), and images of more than MOST_PIXELS pixels
are refused.

Values v with 16 bits become bytes, 255 v / white. The white level is 2⁸ − 1, 2¹⁰ − 1, 2¹² − 1,
2¹⁴ − 1 or 2¹⁶ − 1: the first that is at least the largest value of the training images and at
least what their files declare. It is stored with the model, and new images are read with it.
"""

import hashlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np

from chainrule.data.files import combined_digest, damaged
from chainrule.data.progress import report_progress
from chainrule.data.scaling import white_level
from chainrule.data.split import row_hash
from chainrule.data.streaming import PixelStore, Streamed
from chainrule.errors import ChainruleError, DataError, DataWarning, MissingExtraError
from chainrule.formatting import count_of
from chainrule.host.machine import available_bytes, check_memory
from chainrule.host.reading import check_regular, read_bytes

# The header and the pixels of one file

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""The names in Pillow of the formats with these suffixes."""
MOST_PIXELS = 2 * (2**30 // 4 // 3)
"""178,956,970, the number from which Pillow refuses an image."""
LARGE = 2**22
"""For larger images, the memory is checked."""
DENSEST = 10_000
"""Large images of more pixels per byte of their file are empty, or not complete."""
BYTES_PER_PIXEL = 16
"""The memory for decoding a pixel: the image, its conversions and the background."""
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap height and width
EXIF_ORIENTATION = 0x0112
BITS_PER_SAMPLE, MAX_SAMPLE_VALUE = 258, 281  # tags of TIFF files
FULL = 2**16 - 1
"""The white level of 16-bit images whose whole range is used, as the formats prescribe."""
DARK = 16
"""Images that use less than this fraction of the white level are nearly black."""


class ImageHeader(NamedTuple):
    """The header of an image.

    size    the displayed size (n_H, n_W)
    grey    whether it has one channel
    deep    whether it has 16 bits per channel, whose white level is not known from the format
    others  whether the file holds more images than this one, such as an animation
    """

    size: tuple[int, int]
    grey: bool
    deep: bool = False
    others: bool = False


def check_pillow(where: str) -> None:
    """Raise an error with the missing extra if Pillow is not installed."""
    if find_spec("PIL") is None:
        raise MissingExtraError(where, "Pillow", "images")


class PillowWarnings:
    """A context, used by many threads at the same time, that reports what Pillow warns of.

    Python's own `catch_warnings` is not safe in threads: the first thread that enters catches the
    warnings, and the last one that leaves reports them, each text once. Pillow's warning of large
    images is left out, since their size is checked here.
    """

    def __init__(self):
        self._lock, self._threads, self._found = Lock(), 0, []
        self._catching = warnings.catch_warnings(record=True)

    def __enter__(self) -> None:
        """Catch warnings from now on."""
        with self._lock:
            self._threads += 1
            if self._threads == 1:
                self._catching = warnings.catch_warnings(record=True)
                self._found = self._catching.__enter__() or []
                warnings.simplefilter("always")

    def __exit__(self, *_: object) -> None:
        """Report what was caught, if no other thread is inside."""
        with self._lock:
            self._threads -= 1
            if self._threads:
                return
            self._catching.__exit__(None, None, None)
            found = {str(one.message): one.category for one in self._found}
        from PIL import Image

        for message, category in found.items():
            if issubclass(category, DataWarning):
                warnings.warn(message, category, stacklevel=3)
            elif not issubclass(category, Image.DecompressionBombWarning):
                what = f"the metadata of an image is damaged: {message.strip().rstrip('.')}"
                warnings.warn(what, DataWarning, stacklevel=3)


pillow_warnings = PillowWarnings()


@contextmanager
def reading(path: Path, content: bytes | None = None) -> Iterator[Any]:
    """Open an image, or the content of its file; any error in it becomes a DataError."""
    from PIL import Image

    try:
        source = path if content is None else io.BytesIO(content)
        with pillow_warnings, Image.open(source, formats=FORMATS) as image:
            length = os.path.getsize(path) if content is None else len(content)
            check_pixels(path, image.size, length)
            yield image
    except ChainruleError:
        raise
    except Image.DecompressionBombError:
        raise too_large(path, "more") from None
    except Exception as error:  # Pillow raises errors of many types for damaged files
        raise unreadable(path, error) from error


def check_pixels(path: Path, size: tuple[int, int], length: int) -> None:
    """Refuse an image with too many pixels before its memory is allocated.

    `length` is the number of bytes of the file. Some formats fill missing pixels with 0, so that a
    short file may declare a large image.
    """
    width, height = size
    if width * height > MOST_PIXELS:
        raise too_large(path, f"{width:,} by {height:,}")
    if width * height > max(LARGE, DENSEST * length):
        got = f"{width:,} by {height:,} pixels in {count_of(length, 'byte')}"
        hint = "removing the file or copying it again"
        raise DataError(str(path), "a complete image", got, hint)
    if width * height > LARGE:
        check_memory(str(path), BYTES_PER_PIXEL * width * height, "a smaller image")


def too_large(path: Path, got: str) -> DataError:
    """Return the error for an image with too many pixels."""
    hint = "a smaller image, or cutting it into several"
    return DataError(str(path), f"an image of at most {MOST_PIXELS:,} pixels", got, hint)


def read_image_header(path: Path) -> ImageHeader:
    """Read the size and the colour mode, without decoding the pixels."""
    if not os.path.exists(path):  # False for a name that is too long as well
        raise DataError(str(path), "an image", "no such file", "adding the file")
    check_regular(path)
    with reading(path) as image:
        width, height = image.size
        deep = is_deep(image)
        # In a PNG, EXIF data may follow the pixels; finding it would decode them.
        late = image.format == "PNG" and "exif" not in image.info
        turned = not late and image.getexif().get(EXIF_ORIENTATION) in TURNED
        mode = image.mode
        scaled = image.format == "PPM"  # Pillow scales by the largest value in the header
        others = holds_others(image)
    if mode == "F" or (mode == "I" and not scaled):
        hint = "saving it with 8 or 16 bits"
        raise DataError(str(path), "8 or 16 bits per channel", "32", hint)
    size = (width, height) if turned else (height, width)
    return ImageHeader(size, mode in ("1", "L", "LA") or mode.startswith("I"), deep, others)


def holds_others(image) -> bool:
    """Return whether a file holds several images: an animation, or pages.

    The further images in photos of phones (MPO) are previews and depth maps of the first.
    """
    try:
        return image.format != "MPO" and getattr(image, "is_animated", False)
    except Exception:  # a damaged second image, for which Pillow raises errors of many types
        return True


def decode_image(
    path: Path, size: tuple[int, int], grey: bool, white: int = FULL
) -> tuple[np.ndarray, str]:
    """Return the pixels, (n_H, n_W) or (n_H, n_W, 3) in bytes, and the sha256 of the file.

    `white` is the white level of images with 16 bits.
    """
    from PIL import Image

    raw = read_bytes(path)
    with reading(path, raw) as opened:
        image = on_white(upright(eight_bits(opened, raw, white)))
        image = in_rgb(image).convert("L" if grey else "RGB")
        height, width = size
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(image), hashlib.sha256(raw).hexdigest()


Colour = tuple[int, ...]
LOSSY = ("JPEG", "MPO", "WEBP")
"""The formats, as Pillow names them, whose compression changes the values of pixels."""


class DecodedMask(NamedTuple):
    """A mask as it is stored, the sha256 of its file, and the colours of its palette.

    palette    the colour of each palette index that occurs, if the pixels are palette indices
    """

    pixels: np.ndarray
    digest: str
    palette: Mapping[int, Colour]


def decode_mask(path: Path, coloured: bool) -> DecodedMask:
    """Return a mask as it is stored.

    The pixels are (n_H, n_W) values (palette indices for a palette image), or, if `coloured`, (n_H,
    n_W, 3) colours in bytes.
    """
    raw = read_bytes(path)
    with reading(path, raw) as opened:
        kind, others = str(opened.format), holds_others(opened)
        opened.seek(0)
        pixels, palette = mask_pixels(opened, raw, coloured)
    if kind in LOSSY:
        raise lossy_mask(path, kind)
    if others:
        expected, hint = "a file that contains one mask", "a separate file for each mask"
        raise DataError(str(path), expected, "a file that contains several images", hint)
    if not coloured and (pixels.ndim != 2 or pixels.dtype.kind == "f"):
        hint = "--classes FILE, with the name and the colour of each class"
        raise DataError(str(path), "one whole number per pixel, its class", "colours", hint)
    return DecodedMask(pixels, hashlib.sha256(raw).hexdigest(), palette)


def mask_pixels(opened, raw: bytes, coloured: bool) -> tuple[np.ndarray, dict[int, Colour]]:
    """Return the values or the colours of an opened mask, and the colours of its palette."""
    image = upright(eight_bits(opened, raw, FULL) if coloured else opened)
    image.load()
    if coloured:
        return np.asarray(image.convert("RGB")), {}
    if image.mode in ("LA", "PA"):
        image = image.getchannel(0)
    pixels = np.asarray(image, np.uint8 if image.mode == "1" else None)
    if pixels.ndim == 3 and (pixels[..., :1] == pixels[..., :3]).all():
        pixels = pixels[..., 0]
    return pixels, used_colours(image, pixels) if image.mode == "P" else {}


def used_colours(image, indices: np.ndarray) -> dict[int, Colour]:
    """Return the colour of each index of a palette image that occurs in it."""
    colours = image.getpalette("RGB") or []
    return {i: tuple(colours[3 * i : 3 * i + 3]) for i in np.unique(indices).tolist()}


def lossy_mask(path: Path, kind: str) -> DataError:
    """Return the error for a mask in a format that does not keep the values of pixels."""
    expected = "a mask in a lossless format, such as PNG, BMP, GIF or TIFF"
    got = f"{kind}, whose compression changes the values of pixels, mostly at borders"
    hint = "exporting the annotation again as .png; converting the file does not restore the values"
    return DataError(str(path), expected, got, hint)


def is_deep(image) -> bool:
    """Return whether an opened image has 16 bits per channel, in its own scale."""
    return image.mode.startswith("I;16") or any(";16" in mode for mode in raw_modes(image))


def raw_modes(image) -> list[str]:
    """Return how the pixels of an opened colour image are stored, such as "RGB;16B"."""
    found = [tile.args for tile in image.tile]
    modes = [args if isinstance(args, str) else next(iter(args), None) for args in found]
    return [mode for mode in modes if isinstance(mode, str)]


def sixteen_bits(raw: bytes) -> np.ndarray:
    """Return the values of an image file with 16 bits per channel.

    Pillow reads the high bytes of colours only. Read in the opposite byte order, the same file
    gives the low bytes. Of grey with alpha, it can read all four bytes of a pixel.
    """
    from PIL import Image

    with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
        if image.mode.startswith("I;16"):
            return np.asarray(image).astype(np.uint16)
        modes = raw_modes(image)
        high = np.asarray(image).astype(np.uint16)
    if "LA;16B" in modes:
        pairs = stored_as(raw, lambda mode: "RGBA").astype(np.uint16)
        return pairs[..., 0::2] << 8 | pairs[..., 1::2]
    return high << 8 | stored_as(raw, opposite_order)


def stored_as(raw: bytes, change: Callable[[str], str]) -> np.ndarray:
    """Return the pixels of an image file as if they were stored in another way."""
    from PIL import Image

    def changed(args: Any) -> Any:
        return change(args) if isinstance(args, str) else (change(args[0]), *args[1:])

    with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
        image.tile = [tile._replace(args=changed(tile.args)) for tile in image.tile]
        return np.asarray(image)


def opposite_order(mode: str) -> str:
    """Return the opposite byte order; N is the order of this machine.

    >>> opposite_order("RGB;16B")
    'RGB;16L'
    """
    native = "L" if sys.byteorder == "little" else "B"
    return mode[:-1] + ("B" if mode[-1].replace("N", native) == "L" else "L")


def eight_bits(image, raw: bytes, white: int):
    """Convert an opened image with 16 bits to 8 bits; Pillow itself would clip grey values."""
    from PIL import Image

    if image.mode == "I":  # scaled to 65,535
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if not is_deep(image) or (white == FULL and not image.mode.startswith("I;16")):
        return image
    values = sixteen_bits(raw)
    pixels = as_bytes(values, white)
    if values.ndim == 3 and values.shape[2] in (2, 4):  # the range of alpha is that of the format
        pixels[..., -1] = as_bytes(values[..., -1], FULL)
    converted = Image.fromarray(pixels)  # two channels are grey with alpha
    image.load()  # which turns TIFF files
    turned = image.getexif().get(EXIF_ORIENTATION)
    if turned is not None:
        converted.getexif()[EXIF_ORIENTATION] = turned
    return converted


def as_bytes(values: np.ndarray, white: int) -> np.ndarray:
    """Return 255 v / white, rounded and at most 255; for the full range, the high byte.

    >>> as_bytes(np.array([0, 100, 255, 300], np.uint16), 255).tolist()
    [0, 100, 255, 255]
    """
    if white == FULL:
        return (values >> 8).astype(np.uint8)
    scaled = (values.astype(np.uint32) * 255 + white // 2) // white
    return np.minimum(scaled, 255).astype(np.uint8)


def largest_value(path: Path) -> int:
    """Return the largest value of an image with 16 bits, or a larger one that its file declares."""
    raw = read_bytes(path)
    with reading(path, raw) as image:
        tags = getattr(image, "tag_v2", {})
        bits = int(np.max(tags.get(BITS_PER_SAMPLE, 16)))
        declared = int(np.max(tags.get(MAX_SAMPLE_VALUE, 0)))
        values = sixteen_bits(raw)
    has_alpha = values.ndim == 3 and values.shape[2] in (2, 4)
    colours = values[..., :-1] if has_alpha else values
    return max(int(colours.max(initial=0)), declared, 2**bits - 1 if bits < 16 else 0)


def in_rgb(image) -> Any:
    """Convert an image in the colour space L*a*b*, which Pillow converts by profiles only."""
    if image.mode != "LAB":
        return image
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")


def upright(image) -> Any:
    """Return the image turned as its EXIF orientation says."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


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
    """The pixels of the readable files, with their row numbers; `skipped` names the others.

    `white` is the white level of images with 16 bits, None if the chosen set has none.
    """

    X: Any  # np.ndarray or Streamed
    readable_rows: np.ndarray
    skipped: tuple[str, ...]
    digest: str
    white: int | None = None


def decode_parts(
    where: str,
    listings: Mapping[str, Listing],
    image_size: tuple[int, int] | None,
    chosen: str,
    *,
    skip: bool | None = False,
    white: int | None = None,
) -> dict[str, Decoded]:
    """Decode the images of all sets, at the size and with the channels of the set `chosen`.

    `white` is the white level of images with 16 bits; if it is None, that of the set `chosen` is
    used.
    """
    headers = {
        name: map_in_threads(read_image_header, one.paths, one.located)
        for name, one in listings.items()
    }
    refused = [error for seen in headers.values() for error in errors_in(seen)]
    if refused and not skip:
        raise combined_error(refused, skip)
    seen = [header for header in headers[chosen] if isinstance(header, ImageHeader)]
    if not seen:
        got = f"{count_of(len(refused), 'file')}, none of them readable, such as {refused[0].where}"
        raise DataError(where, "images", got, refused[0].hint)
    warn_of_others(where, listings, headers)
    deep = largest_values(listings, headers)
    found_white = int(white_level(max(deep[chosen]))) if white is None and deep[chosen] else white
    level = FULL if found_white is None else found_white
    report_white(where, deep, level, chosen=white is None)
    size = image_size or common_size(where, seen)
    grey = all(header.grey for header in seen)
    shape = (*size, *(() if grey else (3,)))
    count = sum(len(one.paths) for one in listings.values())
    limit = min(IN_MEMORY, available_bytes() // 4)
    small = 4 * count * int(np.prod(shape)) <= limit
    workers = workers_for(headers)
    done, found = 0, {}
    for name, one in listings.items():
        good = [row for row, header in enumerate(headers[name]) if isinstance(header, ImageHeader)]
        decoder = Decoder(one, good, shape, small, level)
        progress = done, count
        results = map_in_threads(decoder, range(len(good)), same, progress, workers)
        done += len(good)
        refused += errors_in(results)
        found[name] = replace(decoder.decoded(results), white=found_white)
    if refused and not skip:
        raise combined_error(refused, skip)
    if refused:
        skipped = f"skipped {len(refused):,} of {count_of(count, 'image')} that cannot be read"
        message = f"{where}: {skipped}, the first {refused[0].where}"
        warnings.warn(message, DataWarning, stacklevel=3)
    return found


Headers = Mapping[str, Sequence[ImageHeader | DataError]]


def same(_: int, error: DataError) -> DataError:
    """Return the error as it is."""
    return error


def workers_for(headers: Headers) -> int | None:
    """Return the number of threads for which the memory suffices; None if all can be used."""
    seen = [one for part in headers.values() for one in part if isinstance(one, ImageHeader)]
    largest = max((one.size[0] * one.size[1] for one in seen), default=0)
    fitting = available_bytes() // (2 * BYTES_PER_PIXEL * max(1, largest))
    return None if fitting > 64 else max(1, fitting)


def warn_of_others(where: str, listings: Mapping[str, Listing], headers: Headers) -> None:
    """Warn of files that hold more than one image, of which only the first is read."""
    names = [
        listing.names[row]
        for part, listing in listings.items()
        for row, header in enumerate(headers[part])
        if isinstance(header, ImageHeader) and header.others
    ]
    if names:
        files = "1 file holds" if len(names) == 1 else f"{len(names):,} files hold"
        what = f"{files} more than one image, such as {names[0]}: only the first image is read"
        warnings.warn(f"{where}: {what}", DataWarning, stacklevel=4)


def largest_values(listings: Mapping[str, Listing], headers: Headers) -> dict[str, list[int]]:
    """Return the largest value of each image with 16 bits that can be read, for each set."""
    found = {}
    for part, listing in listings.items():
        seen = zip(listing.paths, headers[part], strict=True)
        paths = [path for path, one in seen if isinstance(one, ImageHeader) and one.deep]
        values = map_in_threads(largest_value, paths, same, workers=workers_for(headers))
        found[part] = [value for value in values if isinstance(value, int)]
    return found


def report_white(where: str, deep: Mapping[str, list[int]], white: int, *, chosen: bool) -> None:
    """Warn of a white level other than the full range, and of images that do not fit it."""
    values = [value for found in deep.values() for value in found]
    if not values:
        return
    above, messages = sum(value > white for value in values), []
    if chosen and white < FULL:
        what = f"the largest value in the images with 16 bits ({len(values):,} in all) is "
        messages.append(f"{what}{max(values):,}, so {white:,} is taken as the value of white")
    if above:
        what = f"values above {white:,}, the value of white in the training images, occur in "
        messages.append(f"{what}{above:,} of {len(values):,} images with 16 bits; they are clipped")
    if max(values) * DARK < white:
        what = f"the largest value in the images with 16 bits is {max(values):,}, but the value of "
        messages.append(
            f"{what}white in the training images is {white:,}, so these images are nearly black"
        )
    for message in messages:
        warnings.warn(f"{where}: {message}", DataWarning, stacklevel=4)


class Decoder:
    """Decode the image of a row into an array or a temporary file."""

    def __init__(
        self, listing: Listing, rows: list[int], shape: tuple[int, ...], small: bool, white: int
    ):
        self.listing, self.rows, self.shape, self.white = listing, rows, shape, white
        self.array = np.empty((len(rows), *shape), np.uint8) if small else None
        self.store = None if small else PixelStore(len(rows), shape, lambda i: self.pixels(i)[0])

    def pixels(self, i: int) -> tuple[np.ndarray, str]:
        """Return the pixels of the i-th image, and the sha256 of its file."""
        row = self.rows[i]
        try:
            n_H, n_W = self.shape[:2]
            grey = len(self.shape) == 2
            return decode_image(self.listing.paths[row], (n_H, n_W), grey, self.white)
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
    workers: int | None = None,
) -> list[B | DataError]:
    """Apply the function to every item, in threads; a DataError is returned as a result."""

    def attempt(row: int) -> B | DataError:
        try:
            return function(items[row])
        except DataError as error:
            return located(row, error)

    results = []
    with pillow_warnings, ThreadPoolExecutor(workers) as pool:
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
