"""Plots made of images: galleries with captions, boxes with labels, and overlaid masks.

Images and masks are drawn on and encoded as PNG by Pillow. In an overlaid mask, each class has its
own colour, taken from the mask file if that has colours. Edges between classes are opaque; the
areas that they enclose are half transparent.
"""

import colorsys
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.errors import OptionError
from chainrule.inspection.plots import COLOURS, INK, WIDTH, drawable, png, short
from chainrule.runs.preprocessing import Preprocessor, picture_shape
from chainrule.strategy.error_analysis import Mistakes

MOST = 100
COLUMNS = 8
GAP = 0.12
"""The space between two images, as a share of an image's width."""

FOR, AGAINST = np.array([0.84, 0.37, 0.0]), np.array([0.0, 0.45, 0.70])  # orange and blue


class Tile(NamedTuple):
    """An image (n_H, n_W, 3) of numbers from 0 to 1, and the caption below it."""

    picture: np.ndarray
    caption: str


def mistake_gallery(mistakes: Mistakes, source: Dataset, preprocessor: Preprocessor) -> bytes:
    """Draw the mistakes as a gallery; raise OptionError if the examples are not images."""
    shape = picture_shape(preprocessor)
    if shape is None:
        hint = "-o mistakes.csv, which writes the mistakes as a table"
        raise OptionError(
            "--gallery", "a data set of images", f"rows of {preprocessor.n_numbers} numbers", hint
        )
    listed = mistakes.listed[:MOST]
    index = [one.index for one in listed]
    captions = []
    for one in listed:
        probability = "" if one.sure is None else f" ({one.sure:.2f})"
        predicted = f"pred. {short(_label_text(one.predicted), 8)}{probability}"
        place = f"{mistakes.place_name} {short(one.place, 12)}"
        captions.append(f"{predicted}\ntrue {short(_label_text(one.true), 12)}\n{place}")
    images = as_colours(np.asarray(source.X[index]).reshape(-1, *shape))
    return gallery([Tile(*pair) for pair in zip(images, captions, strict=True)], mistakes.title)


def gallery(tiles: Sequence[Tile], title: str, columns: int = COLUMNS) -> bytes:
    """Return a PNG of all tiles, row by row, below a title."""
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, -(-len(tiles) // columns))
    lines = 1 + max((tile.caption.count("\n") for tile in tiles), default=0)
    height, width = tiles[0].picture.shape[:2] if tiles else (1, 1)
    inch = WIDTH / max(columns, 4) / (1 + GAP)
    under = 0.165 * lines / inch * width  # the height of the captions, in image pixels
    step_x, step_y = width * (1 + GAP), height + under + GAP * width

    def draw(figure):
        axes = figure.subplots()
        for i, tile in enumerate(tiles):
            row, column = divmod(i, columns)
            x, y = column * step_x, row * step_y
            axes.imshow(tile.picture, extent=(x, x + width, y + height, y), interpolation="nearest")
            axes.text(x, y + height + 0.03 * width, tile.caption, size=8, color=INK, va="top")
        axes.set(xlim=(0, max(columns, 4) * step_x), ylim=(rows * step_y, 0), title=title)
        axes.set_aspect("equal")
        axes.axis("off")

    return png(draw, height=inch / width * rows * step_y + 0.5)


def as_colours(images: np.ndarray) -> np.ndarray:
    """Return images as colours (m, n_H, n_W, 3) from 0 to 1.

    Bytes are divided by 255; other numbers are scaled so that their range is from 0 to 1.
    """
    numbers = np.asarray(images, np.float64)
    if images.dtype == np.uint8:
        numbers = numbers / 255
    elif numbers.size:
        low, high = numbers.min(), numbers.max()
        numbers = (numbers - low) / ((high - low) or 1.0)
    if numbers.shape[3:] == (3,):
        return numbers
    grey = numbers if numbers.ndim == 3 else numbers[..., :1].squeeze(-1)
    return np.repeat(grey[..., None], 3, axis=-1)


def overlaid(pictures: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Overlay a heat map on pale images (m, n_H, n_W, 3): orange for positive, blue for negative.

    heat (m, n_H, n_W) is scaled by the largest absolute value in each image.
    """
    share = heat / np.maximum(np.abs(heat).max(axis=(1, 2), keepdims=True), 1e-30)
    grey = 0.75 + 0.25 * pictures.mean(axis=-1, keepdims=True)
    strength = np.abs(share)[..., None]
    ink = np.where(share[..., None] > 0, FOR, AGAINST)
    return grey * (1 - strength) + ink * strength


def _label_text(label: object) -> str:
    return f"{label:.4g}" if isinstance(label, float) else str(label)


Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
PADDING = 2


class LabelledBox(NamedTuple):
    """A box to draw: corners as fractions of the image, its label, colour and line width."""

    corners: Sequence[float]
    words: str
    colour: Colour
    thick: int = 2


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode bytes (n_H, n_W[, 1 or 3]) as a PNG file."""
    return _png_bytes(_as_image(pixels))


def encode_mask_png(numbers: np.ndarray, colours: np.ndarray) -> bytes:
    """Encode class numbers (n_H, n_W) as a PNG with a palette, colours (n, 3), one for each class.

    Programs that read palette indices get the class numbers; image viewers show the colours.
    """
    image = _as_image(numbers)
    image.putpalette(np.pad(colours, ((0, 256 - len(colours)), (0, 0))).tobytes())
    return _png_bytes(image)


def draw_boxes(pixels: np.ndarray, boxes: Sequence[LabelledBox], scale: float = 1) -> np.ndarray:
    """Return the image, scaled, as (n_H, n_W, 3) bytes with boxes and labels drawn on it."""
    from PIL import Image, ImageDraw, ImageFont

    image = _as_image(pixels).convert("RGB")
    if scale != 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    n_W, n_H = image.size
    for corners, label, colour, thick in boxes:
        words = drawable(label)
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


def image_grid(images: Sequence[np.ndarray], columns: int, gap: int = 8) -> np.ndarray:
    """Arrange images of one size in a grid, row by row, on a white page."""
    n_H, n_W, _ = images[0].shape
    rows, columns = -(-len(images) // columns), min(columns, len(images))
    page = np.full((rows * (n_H + gap) - gap, columns * (n_W + gap) - gap, 3), 255, np.uint8)
    for i, one in enumerate(images):
        row, column = divmod(i, columns)
        top, left = row * (n_H + gap), column * (n_W + gap)
        page[top : top + n_H, left : left + n_W] = one
    return page


def draw_legend(named: Sequence[tuple[str, Colour]], width: int, gap: int = 4) -> np.ndarray:
    """Draw words on coloured boxes, side by side on white, in as many lines as needed."""
    from PIL import Image, ImageDraw, ImageFont

    font, left, top, places = ImageFont.load_default(12), gap, gap, []
    height = 12 + 3 * PADDING
    for name, colour in named:
        words = drawable(name)
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


OPAQUE = 0.5
"""The opacity of a class's colour within its area."""

MORE = (
    *("#FFE119", "#911EB4", "#800000", "#46F0F0", "#808000", "#F032E6", "#000075"),
    *("#BFEF45", "#9A6324", "#DCBEFF", "#E6194B", "#AAFFC3", "#808080", "#FFD8B1"),
)
"""The colours that follow the first five of COLOURS, whose sixth is a second blue."""

TURN = 0.618033988749895
"""The step between the hues of further classes: the golden ratio, so that they stay apart."""


def palette(n: int) -> np.ndarray:
    """Return colours (n, 3) of bytes for classes 0, 1, …; a class always has the same colour.

    >>> palette(2).tolist()
    [[0, 114, 178], [213, 94, 0]]
    """
    listed = [_rgb_bytes(code) for code in (*COLOURS[:5], *MORE)[:n]]
    for i in range(len(listed), n):
        hue, value = i * TURN % 1, (0.95, 0.6)[i % 2]
        listed.append([round(255 * x) for x in colorsys.hsv_to_rgb(hue, 0.8, value)])
    return np.array(listed, np.uint8).reshape(-1, 3)


def overlay(picture: np.ndarray, mask: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Overlay the classes of a mask on an image (n_H, n_W[, 1 or 3]) of bytes.

    Returns (n_H, n_W, 3) of bytes. Pixels whose mask value is no class, such as 255, are unchanged.
    """
    below = picture[..., None] if picture.ndim == 2 else picture
    below = np.broadcast_to(below, (*mask.shape, 3)).astype(np.float64)
    known = mask < len(colours)
    above = colours[np.where(known, mask, 0)]
    share = np.where(edges(mask), 1.0, OPAQUE) * known
    return np.rint(below + share[..., None] * (above - below)).astype(np.uint8)


def edges(mask: np.ndarray) -> np.ndarray:
    """Return which pixels have a class other than that of the pixel above or to the left.

    >>> edges(np.array([[1, 1, 2, 2]])).tolist()
    [[False, False, True, False]]
    """
    found = np.zeros(mask.shape, bool)
    found[1:] |= mask[1:] != mask[:-1]
    found[:, 1:] |= mask[:, 1:] != mask[:, :-1]
    return found


def legend(names: Sequence[str], colours: np.ndarray, width: int) -> np.ndarray:
    """Return a legend, each name on its colour, that is `width` pixels wide."""
    return draw_legend(
        [(name, _colour(own)) for name, own in zip(names, colours, strict=True)], width
    )


def with_legend(
    picture: np.ndarray, mask: np.ndarray, names: Sequence[str], colours: np.ndarray
) -> np.ndarray:
    """Return the overlay with a legend below it of the classes that occur in the mask."""
    present = np.unique(mask[mask < len(names)])
    below = legend([names[int(kind)] for kind in present], colours[present], mask.shape[1])
    return np.concatenate([overlay(picture, mask, colours), below])


def compare_masks(
    pictures: Sequence[np.ndarray],
    masks: Sequence[Sequence[np.ndarray]],
    names: Sequence[str],
    colours: np.ndarray,
    scale: int = 1,
) -> np.ndarray:
    """Return a row for each image, plain and with each of its masks overlaid, and a legend below.

    Each pixel of the images is enlarged to `scale` by `scale` pixels.
    """
    tiles = []
    for picture, own in zip(pictures, masks, strict=True):
        nothing = np.full(picture.shape[:2], len(colours))
        large, *larger = (one.repeat(scale, 0).repeat(scale, 1) for one in (picture, nothing, *own))
        tiles += [overlay(large, mask, colours) for mask in larger]
    page = image_grid(tiles, len(tiles) // len(pictures))
    return np.concatenate([page, legend(names, colours, page.shape[1])])


def _colour(numbers: np.ndarray) -> Colour:
    r, g, b = (int(number) for number in numbers)
    return r, g, b


def _rgb_bytes(code: str) -> list[int]:
    return [int(code[i : i + 2], 16) for i in (1, 3, 5)]
