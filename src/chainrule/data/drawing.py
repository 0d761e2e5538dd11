"""Draw boxes and labels on images, and encode images and masks as PNG, using Pillow."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
PADDING = 2


class Drawn(NamedTuple):
    """A box to draw: corners as fractions of the image, its label, colour and line width."""

    corners: Sequence[float]
    words: str
    colour: Colour
    thick: int = 2


def png_of(pixels: np.ndarray) -> bytes:
    """Encode bytes (n_H, n_W[, 1 or 3]) as a PNG file."""
    return _png_bytes(_as_image(pixels))


def mask_png(numbers: np.ndarray, colours: np.ndarray) -> bytes:
    """Encode class numbers (n_H, n_W) as a PNG with a palette, colours (n, 3), one for each class.

    Programs that read palette indices get the class numbers; image viewers show the colours.
    """
    image = _as_image(numbers)
    image.putpalette(np.pad(colours, ((0, 256 - len(colours)), (0, 0))).tobytes())
    return _png_bytes(image)


def with_boxes(pixels: np.ndarray, boxes: Sequence[Drawn], scale: float = 1) -> np.ndarray:
    """Return the image, scaled, as (n_H, n_W, 3) bytes with boxes and labels drawn on it."""
    from PIL import Image, ImageDraw, ImageFont

    image = _as_image(pixels).convert("RGB")
    if scale != 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    n_W, n_H = image.size
    for corners, words, colour, thick in boxes:
        x1, y1, x2, y2 = np.asarray(corners) * [n_W, n_H, n_W, n_H]
        edges = [min(x1, n_W - 1), min(y1, n_H - 1), max(x1, min(x2, n_W - 1)), max(y1, y2)]
        draw.rectangle([*edges[:3], min(edges[3], n_H - 1)], outline=colour, width=thick)
        if words:
            _, _, right, bottom = draw.textbbox((0, 0), words, font=font)
            left = min(edges[0], n_W - right - 2 * PADDING)
            top = edges[1] - bottom - 2 * PADDING
            top = edges[1] if top < 0 else top
            ends = left + right + 2 * PADDING, top + bottom + 2 * PADDING
            draw.rectangle([left, top, *ends], fill=colour)
            draw.text((left + PADDING, top + PADDING), words, fill=_text_colour(colour), font=font)
    return np.asarray(image)


def sheet(images: Sequence[np.ndarray], columns: int, gap: int = 8) -> np.ndarray:
    """Arrange images of one size in a grid, row by row, on a white page."""
    n_H, n_W, _ = images[0].shape
    rows, columns = -(-len(images) // columns), min(columns, len(images))
    page = np.full((rows * (n_H + gap) - gap, columns * (n_W + gap) - gap, 3), 255, np.uint8)
    for i, one in enumerate(images):
        row, column = divmod(i, columns)
        top, left = row * (n_H + gap), column * (n_W + gap)
        page[top : top + n_H, left : left + n_W] = one
    return page


def chips(named: Sequence[tuple[str, Colour]], width: int, gap: int = 4) -> np.ndarray:
    """Draw words on coloured boxes, side by side on white, in as many lines as needed."""
    from PIL import Image, ImageDraw, ImageFont

    font, left, top, places = ImageFont.load_default(12), gap, gap, []
    height = 12 + 3 * PADDING
    for words, colour in named:
        wide = round(font.getlength(words)) + 4 * PADDING
        if left > gap and left + wide + gap > width:
            left, top = gap, top + height + gap
        places.append((words, colour, left, wide, top))
        left += wide + gap
    image = Image.new("RGB", (width, top + height + gap), WHITE)
    draw = ImageDraw.Draw(image)
    for words, colour, left, wide, top in places:
        draw.rectangle([left, top, left + wide, top + height], fill=colour)
        draw.text((left + 2 * PADDING, top + PADDING), words, fill=_text_colour(colour), font=font)
    return np.asarray(image)


def _text_colour(colour: Colour) -> Colour:
    """Return black or white, whichever contrasts better with this colour."""
    r, g, b = colour
    return (0, 0, 0) if 0.299 * r + 0.587 * g + 0.114 * b > 140 else WHITE


def _as_image(pixels: np.ndarray):
    """Return a Pillow image of the pixels."""
    from PIL import Image

    grey = pixels.ndim == 3 and pixels.shape[2] == 1
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if grey else pixels))


def _png_bytes(image) -> bytes:
    """Return a Pillow image as the bytes of a PNG file."""
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()
