"""One picture: a look at its header, and its pixels. The one door to Pillow."""

import hashlib
import io
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.errors import DataError, MissingExtraError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # Pillow raises all of them
TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width
EXIF_ORIENTATION = 0x0112


class Picture(NamedTuple):
    """What the header says: (n_H, n_W) as it is to be seen, and whether it has colours."""

    size: tuple[int, int]
    grey: bool


def check_pillow(where: str) -> None:
    """Say which extra is missing, if it is."""
    if find_spec("PIL") is None:
        raise MissingExtraError(where, "Pillow", "images")


def look(path: Path) -> Picture:
    """Size and colours, without decoding."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            late = image.format == "PNG" and "exif" not in image.info  # to look on is to decode
            turned = not late and image.getexif().get(EXIF_ORIENTATION) in TURNED
            mode = image.mode
    except FileNotFoundError:
        raise DataError(
            str(path), "a picture", "no file of that name", "copying it there"
        ) from None
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from error
    if mode in ("I", "F"):
        hint = "saving it with 8 or 16 bits"
        raise DataError(str(path), "8 or 16 bits a pixel", "32", hint)
    size = (width, height) if turned else (height, width)
    return Picture(size, mode in ("1", "L", "LA") or mode.startswith("I;16"))


def decode(path: Path, size: tuple[int, int], grey: bool) -> tuple[np.ndarray, str]:
    """The pixels, (n_H, n_W) or (n_H, n_W, 3) of bytes, and the sha256 of the file."""
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
    """A mask as it is written, and the sha256 of the file.

    Numbers (n_H, n_W), of a palette those of its colours; where it is `coloured`, the colours
    (n_H, n_W, 3) of bytes.
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
        hint = "--classes FILE, a line for each class: its name and its colour"
        raise DataError(str(path), "one whole number a pixel, its class", "colours", hint)
    return pixels, hashlib.sha256(raw).hexdigest()


def eight_bits(image):
    """A grey picture of 16 bits in 8: Pillow's own conversion would cut off all above 255."""
    from PIL import Image

    if not image.mode.startswith("I;16"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def on_white(image):
    """The picture as it is seen on paper: dropping transparency would show what lies behind it."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image)


def unreadable(path: Path, error: BaseException) -> DataError:
    """What to say of a picture that cannot be read to its end."""
    return DataError(
        str(path),
        "a whole picture",
        f"a file that is cut short or damaged ({error})",
        "removing the file or copying it again",
    )
