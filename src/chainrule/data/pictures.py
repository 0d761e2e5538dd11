"""Read the header or the pixels of one image file; only this file reads images through Pillow."""

import hashlib
import io
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.errors import DataError, MissingExtraError

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


def look(path: Path) -> ImageHeader:
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


def decode(path: Path, size: tuple[int, int], grey: bool) -> tuple[np.ndarray, str]:
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
    """Put the image on white: dropping transparency would reveal the hidden colours."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    background = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(background, image)


def unreadable(path: Path, error: BaseException) -> DataError:
    """Return the error for an image that is damaged or truncated."""
    return DataError(
        str(path),
        "a complete image",
        f"a truncated or damaged file ({error})",
        "removing the file or copying it again",
    )
