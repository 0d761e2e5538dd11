"""Boxes and words drawn on pictures, pictures and masks as bytes of a PNG: Pillow's other half."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
PADDING = 2


class Drawn(NamedTuple):
    """A box to draw: its corners as shares of the picture, what stands at it, and its colour."""

    corners: Sequence[float]
    words: str
    colour: Colour
    thick: int = 2


def png_of(pixels: np.ndarray) -> bytes:
    """Bytes (n_H, n_W[, 1 or 3]) as a PNG."""
    return _bytes(_image(pixels))


def mask_png(numbers: np.ndarray, colours: np.ndarray) -> bytes:
    """Numbers (n_H, n_W) of bytes as a PNG that holds them and shows colours (n, 3), one of each.

    What reads a palette as numbers reads the numbers; what shows pictures shows the colours.
    """
    image = _image(numbers)
    image.putpalette(np.pad(colours, ((0, 256 - len(colours)), (0, 0))).tobytes())
    return _bytes(image)


def with_boxes(pixels: np.ndarray, boxes: Sequence[Drawn], scale: float = 1) -> np.ndarray:
    """The picture `scale` times as large, (n_H, n_W, 3) of bytes, with boxes and their words."""
    from PIL import Image, ImageDraw, ImageFont

    image = _image(pixels).convert("RGB")
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
            draw.text((left + PADDING, top + PADDING), words, fill=_on(colour), font=font)
    return np.asarray(image)


def sheet(pictures: Sequence[np.ndarray], columns: int, gap: int = 8) -> np.ndarray:
    """Pictures of one size side by side, row by row, on white."""
    n_H, n_W, _ = pictures[0].shape
    rows, columns = -(-len(pictures) // columns), min(columns, len(pictures))
    page = np.full((rows * (n_H + gap) - gap, columns * (n_W + gap) - gap, 3), 255, np.uint8)
    for i, one in enumerate(pictures):
        row, column = divmod(i, columns)
        top, left = row * (n_H + gap), column * (n_W + gap)
        page[top : top + n_H, left : left + n_W] = one
    return page


def chips(named: Sequence[tuple[str, Colour]], width: int, gap: int = 4) -> np.ndarray:
    """Words on their colours, side by side on white, as many lines as the width asks for."""
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
        draw.text((left + 2 * PADDING, top + PADDING), words, fill=_on(colour), font=font)
    return np.asarray(image)


def _on(colour: Colour) -> Colour:
    """Black or white, whichever is read more easily on this colour."""
    r, g, b = colour
    return (0, 0, 0) if 0.299 * r + 0.587 * g + 0.114 * b > 140 else WHITE


def _image(pixels: np.ndarray):
    from PIL import Image

    grey = pixels.ndim == 3 and pixels.shape[2] == 1
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if grey else pixels))


def _bytes(image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()
