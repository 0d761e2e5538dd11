"""Formats of pictures for `tests/validation/mutations.py`."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from chainrule.data.decoding import decode_image, decode_mask, read_image_header
from chainrule.data.load import load
from chainrule.errors import ChainruleError
from tests.validation.mutated.formats import Format

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
SHADES = PIXELS[..., 0].astype(np.uint16) * 257
MODES = ("RGB", "RGBA", "L", "P", "1", "LA")


def image(mode: str) -> Image.Image:
    """The image in one of Pillow's modes."""
    return Image.fromarray(PIXELS).convert(mode)


def picture(suffix: str, *modes: str, **options: object) -> Format:
    """A folder of two classes with images in these modes, one of which is damaged."""

    def make(folder: Path) -> None:
        for kind in ("cat", "dog"):
            (folder / kind).mkdir()
            for number, mode in enumerate(modes):
                image(mode).save(folder / kind / f"{number}{suffix}", **options)

    return Format(make, lambda folder: read(folder))


def read(folder: Path) -> object:
    """Read the folder as data, and each image by itself, as other commands do."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            read_one(path)
    return np.asarray(load(folder, image_size=(8, 8)).X)


def read_one(path: Path) -> None:
    """Read the header, the pixels, and the pixels of a mask."""
    for function in (
        read_image_header,
        lambda path: decode_image(path, (8, 8), grey=False),
        lambda path: decode_mask(path, coloured=False),
        lambda path: decode_mask(path, coloured=True),
    ):
        with suppress(ChainruleError):
            function(path)


def make_deep(folder: Path) -> None:
    """Images with 16 bits."""
    for kind in ("cat", "dog"):
        (folder / kind).mkdir()
        for suffix in (".png", ".tif", ".pgm"):
            Image.fromarray(SHADES).save(folder / kind / f"a{suffix}")


def make_oriented(folder: Path) -> None:
    """Photos with EXIF data."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    for kind in ("cat", "dog"):
        (folder / kind).mkdir()
        image("RGB").save(folder / kind / "a.jpg", exif=exif)
        image("RGB").save(folder / kind / "b.png", exif=exif)


def make_frames(folder: Path) -> None:
    """Files with several images."""
    for kind in ("cat", "dog"):
        (folder / kind).mkdir()
        frames = [image("P"), image("P").rotate(90)]
        for suffix in (".gif", ".tif", ".webp"):
            frames[0].save(folder / kind / f"a{suffix}", save_all=True, append_images=frames[1:])


def make_table(folder: Path) -> None:
    """A table of image paths."""
    (folder / "photos").mkdir()
    rows = ["file,kind"]
    for number in range(6):
        image("RGB").save(folder / "photos" / f"{number}.png")
        rows.append(f"photos/{number}.png,{'cat' if number % 2 else 'dog'}")
    (folder / "photos.csv").write_text("\n".join(rows) + "\n")


def read_table(folder: Path) -> object:
    """Read the images that the table lists."""
    return load(folder / "photos.csv", target="kind", images="file", image_size=(8, 8))


FORMATS: dict[str, Format] = {
    "png": picture(".png", *MODES),
    "jpeg": picture(".jpg", "RGB", "L"),
    "bmp": picture(".bmp", "RGB", "L", "P", "1"),
    "gif": picture(".gif", "P", "L"),
    "webp": picture(".webp", "RGB", "RGBA"),
    "tiff": picture(".tif", *MODES),
    "tiff-lzw": picture(".tif", "RGB", "L", compression="tiff_lzw"),
    "ppm": picture(".ppm", "RGB", "L"),
    "pictures-16-bits": Format(make_deep, read),
    "pictures-exif": Format(make_oriented, read),
    "pictures-frames": Format(make_frames, read),
    "picture-table": Format(make_table, read_table, ("text", "bytes"), spare=("*.png",)),
}
