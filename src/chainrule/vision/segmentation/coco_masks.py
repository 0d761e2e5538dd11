"""Draw masks from the polygons and run lengths of a COCO file.

    {"images": [{"id": 1, "file_name": "1.jpg", "height": 3, "width": 4}],
     "categories": [{"id": 7, "name": "cat"}],
     "annotations": [{"image_id": 1, "category_id": 7, "segmentation": [[1, 0, 3, 0, 3, 2, 1, 2]]}]}

    polygons     lists of x1, y1, x2, y2, …: a pixel belongs to a polygon if its centre is inside
    run lengths  "counts", a list or COCO's compressed text, of pixels column by column, and "size"

The classes are background, for pixels without annotation, and the categories in the order of their
ids. Larger objects are drawn first, so that smaller ones remain visible on them. Pixels of crowds
("iscrowd": 1) are ignored.
"""

import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np

from chainrule.data.images import images_in
from chainrule.errors import DataError, DataWarning
from chainrule.formatting import shortened
from chainrule.host.reading import path_inside, read_json_file, roots_of
from chainrule.vision.segmentation.mask_classes import (
    IGNORED,
    MaskClasses,
    listed_classes,
)

LISTS = ("images", "annotations", "categories")
BACKGROUND = "background"
FARTHEST = 1e9
"""The largest coordinate of a polygon, in pixels."""
EDGES = 1_000_000
"""The number of pairs of an edge and a row of pixels that are computed at once."""


class Region(NamedTuple):
    """An annotated object: its place in the file, category and shape, and whether it is a crowd."""

    where: str
    category: str
    shape: Any
    crowd: bool


class CocoMask(NamedTuple):
    """The annotations of one image, in place of a mask file."""

    where: str
    regions: tuple[Region, ...]

    def numbers(self, size: tuple[int, int], classes: MaskClasses) -> np.ndarray:
        """Return the class of each pixel, (n_H, n_W) of bytes."""
        mask = np.full(size, classes.numbers(self.where, np.zeros((1, 1), np.uint8))[0, 0])
        areas = [int(drawn_shape(region, size).sum()) for region in self.regions]
        for i in sorted(range(len(areas)), key=lambda i: -areas[i]):
            region = self.regions[i]  # drawn again, since all shapes at once may not fit in memory
            number = IGNORED if region.crowd else self._number(region, classes)
            mask[drawn_shape(region, size)] = number
        return mask

    def _number(self, region: Region, classes: MaskClasses) -> int:
        """Return the class of a category."""
        if region.category in classes.names:
            return classes.names.index(region.category)
        if region.category in classes.left_out:
            return IGNORED
        expected = f"one of the classes {', '.join(classes.names[:10])}"
        hint = "the categories of the training set"
        raise DataError(region.where, expected, repr(region.category), hint)


class CocoPair(NamedTuple):
    """The file of an image and its annotations."""

    image: Path
    mask: CocoMask


def read_coco_masks(
    file: Path, folder: Path | None = None, root: Path | None = None
) -> tuple[list[CocoPair], tuple[str, ...]]:
    """Return the annotated images, and the names of the classes; `folder` holds the images.

    The name of an image may lead anywhere below these folders and `root`, and nowhere else.
    """
    content = _content(file)
    categories = _categories(file, content["categories"])
    folders = [folder] if folder else [file.parent, file.parent / "images"]
    roots = roots_of([file.parent, *folders, *([] if root is None else [root])])
    images = _images(file, content["images"], folders, roots)
    regions: dict[Any, list[Region]] = {key: [] for key in images}
    for i, one in enumerate(content["annotations"]):
        where = f"{file}, annotations[{i}]"
        key = _one_of(where, one, "image_id", regions)
        category = categories[_one_of(where, one, "category_id", categories)]
        shape = one.get("segmentation")
        if not shape:
            hint = "exporting polygons; chainrule detect train learns from boxes"
            got = "only a bounding box" if "bbox" in one else "neither of them"
            raise DataError(where, "polygons or run lengths in segmentation", got, hint)
        regions[key].append(Region(where, category, shape, _is_crowd(where, one)))
    _report(file, images, regions)
    names = tuple(dict.fromkeys((BACKGROUND, *categories.values())))
    pairs = [
        CocoPair(path, CocoMask(f"{file}, {path.name}", tuple(regions[key])))
        for key, path in sorted(images.items(), key=lambda one: one[1])
    ]
    return pairs, names


def _is_crowd(where: str, one: Mapping[str, Any]) -> bool:
    """Return whether an annotation is one of a crowd; one that does not say so is not."""
    value = one.get("iscrowd")
    if value not in (None, 0, 1, "0", "1", ""):
        hint = "0 for no, or 1 for yes"
        raise DataError(f"{where}.iscrowd", "0 or 1", shortened(json.dumps(value), 80), hint)
    return value in (1, "1")


def coco_classes(names: Sequence[str], ignored: str | None, listed: str) -> MaskClasses:
    """Return the classes of a COCO file; the mask value of each is its place in the list."""
    return listed_classes(names, [(i,) for i in range(len(names))], ignored, listed)


def drawn_shape(region: Region, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels belong to the shape of a region, (n_H, n_W) of bool."""
    if isinstance(region.shape, Mapping):
        return run_lengths(region.where, region.shape, size)
    inside = np.zeros(size, bool)
    for polygon in _polygons(region):
        inside |= fill(polygon, size)
    return inside


def fill(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels have their centre inside a polygon (n, 2) of x and y.

    Only the window around the polygon is computed, in steps of a limited number of its edges.

    >>> fill(np.array([[1, 0], [3, 0], [3, 2], [1, 2]]), (3, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    low, high = np.floor(polygon.min(axis=0)) - 1, np.ceil(polygon.max(axis=0)) + 1
    left, right = np.clip([low[0], high[0]], 0, size[1]).astype(int)
    top, bottom = np.clip([low[1], high[1]], 0, size[0]).astype(int)
    inside = np.zeros(size, bool)
    if left == right or top == bottom:
        return inside
    y = np.arange(top, bottom)[:, None] + 0.5
    changes = np.zeros((bottom - top, right - left + 1), int)
    edges = np.hstack([polygon, np.roll(polygon, -1, axis=0)])  # x1, y1, x2, y2
    step = max(1, EDGES // len(y))
    for i in range(0, len(edges), step):
        x1, y1, x2, y2 = edges[i : i + step].T
        crosses = (y1 <= y) != (y2 <= y)  # (rows, edges)
        with np.errstate(divide="ignore", invalid="ignore"):
            x = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
        ends = np.where(crosses, x, np.inf)
        first = np.ceil(ends - 0.5).clip(left, right)  # the first pixel with its centre behind it
        rows = np.broadcast_to(np.arange(len(y))[:, None], first.shape)
        np.add.at(changes, (rows[crosses], first[crosses].astype(int) - left), 1)
    inside[top:bottom, left:right] = changes.cumsum(axis=1)[:, : right - left] % 2 == 1
    return inside


def run_lengths(where: str, shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """Return the pixels of a shape given by run lengths.

    >>> run_lengths("a.json", {"size": [2, 2], "counts": [1, 2, 1]}, (2, 2)).astype(int).tolist()
    [[0, 1], [1, 0]]
    """
    counts, own = shape.get("counts"), shape.get("size")
    if isinstance(own, Sequence) and list(own) != list(size):
        got = f"run lengths of {' by '.join(map(str, own))} pixels"
        expected = f"{size[0]} by {size[1]}, the size of the image"
        raise DataError(where, expected, got, "the annotations of this image")
    counts = uncompressed(counts) if isinstance(counts, str) else counts
    n, found = size[0] * size[1], "values that are not lengths"
    if isinstance(counts, list) and all(type(c) is int and c >= 0 for c in counts):
        found = f"run lengths of {shortened(format(sum(counts), ','), 40)} pixels"
    if not isinstance(counts, list) or found != f"run lengths of {n:,} pixels":
        hint = "exporting the annotations again"
        raise DataError(f"{where}.segmentation", f"run lengths of {n:,} pixels", found, hint)
    inside = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return inside.reshape(size, order="F")


def uncompressed(text: str) -> list[int]:
    """Return the run lengths in COCO's compressed text.

    Each character holds five bits and whether more follow; from the third number on, the difference
    to the last but one is stored. A text with another character gives a length of -1.

    >>> uncompressed("121"), uncompressed("é")
    ([1, 2, 1], [-1])
    """
    counts: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            return [-1]
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << (shift - 4) if bits & 16 else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value, shift = 0, 0
    return counts


def _polygons(region: Region) -> Iterator[np.ndarray]:
    """Yield the polygons (n, 2) of a region, and refuse incomplete ones."""
    shapes = region.shape if isinstance(region.shape, Sequence) else [region.shape]
    shapes = [shapes] if shapes and not isinstance(shapes[0], Sequence) else shapes
    for points in shapes:
        given = points if isinstance(points, list) else []
        numbers = [x for x in given if type(x) in (int, float) and abs(x) <= FARTHEST]
        if len(numbers) != len(given) or len(given) % 2 or len(given) < 6:
            expected = "polygons of at least three points: x1, y1, x2, y2, x3, y3"
            hint = "exporting the annotations again, or removing this one"
            got = shortened(json.dumps(points), 80)
            raise DataError(f"{region.where}.segmentation", expected, got, hint)
        yield np.array(numbers, float).reshape(-1, 2)


def _content(file: Path) -> dict[str, list]:
    """Return the three lists of the file."""
    content = read_json_file(file, hint="exporting the annotations again", finite=False)
    lists = content if isinstance(content, Mapping) else {}
    missing = [name for name in LISTS if not isinstance(lists.get(name), list)]
    if missing:
        expected, hint = f"the lists {', '.join(LISTS)}", "exporting the masks in the COCO format"
        raise DataError(str(file), expected, f"no list named {missing[0]}", hint)
    return {name: lists[name] for name in LISTS}


def _categories(file: Path, entries: Sequence[Any]) -> dict[Any, str]:
    """Return the name of each category, in the order of the ids."""
    names: dict[Any, str] = {}
    places: dict[Any, int] = {}
    for i, one in enumerate(entries):
        where = f"{file}, categories[{i}]"
        key, name = _field(where, one, "id"), str(_field(where, one, "name"))
        _check_unique(where, "id", key, places, i, "categories")
        _check_unique(where, "name", f"name {name}", places, i, "categories")
        names[key] = name
    numbers = all(isinstance(key, int) for key in names)
    return {key: names[key] for key in (sorted(names) if numbers else names)}


def _images(
    file: Path, entries: Sequence[Any], folders: Sequence[Path], roots: Sequence[Path]
) -> dict[Any, Path]:
    """Return the file of each image."""
    found: dict[Any, Path] = {}
    places: dict[Any, int] = {}
    for i, one in enumerate(entries):
        where = f"{file}, images[{i}]"
        key, name = _field(where, one, "id"), str(_field(where, one, "file_name"))
        path = _image_file(where, name, folders, roots)
        _check_unique(where, "id", key, places, i, "images")
        _check_unique(where, "file_name", path, places, i, "images")
        found[key] = path
    if not found:
        raise DataError(str(file), "images", "an empty list", "another file")
    return found


def _image_file(where: str, name: str, folders: Sequence[Path], roots: Sequence[Path]) -> Path:
    """Return the file with the name of an image, or else one that differs only in case."""
    plain = name.replace("\\", "/")
    names = dict.fromkeys((plain, unquote(plain), Path(unquote(plain)).name))
    found = [path_inside(folder, one, roots) for folder in folders for one in names]
    paths = [path for path in found if path is not None and path not in folders]
    for path in paths:
        if os.path.isfile(path):  # False for a name that no file can have, too
            return path
    for path in paths:
        files = images_in(path.parent) if os.path.isdir(path.parent) else []
        fitting = [file for file in files if file.name.lower() == path.name.lower()]
        if len(fitting) > 1:
            got = f"{fitting[0]} and {fitting[1]}"
            raise DataError(where, f"one image {name}", got, "the exact name")
        if fitting:
            return fitting[0]
    got = f"no such file in {' or '.join(map(str, folders))}"
    raise DataError(where, f"the image {name}", got, "the folder that holds the images")


def _check_unique(
    where: str, field: str, key: Any, places: dict[Any, int], i: int, listing: str
) -> None:
    """Refuse a key that an earlier entry has, and name both places."""
    if key in places:
        got = f"the {field} of {listing}[{places[key]}]"
        hint = "removing or renaming one of the two"
        raise DataError(f"{where}.{field}", f"a unique {field}", got, hint)
    places[key] = i


def _one_of(where: str, one: Any, name: str, known: Mapping[Any, Any]) -> Any:
    """Return the id in a field, which must be known."""
    key = _field(where, one, name)
    if key not in known:
        listing = "images" if name == "image_id" else "categories"
        hint = "an id such as " + (", ".join(map(str, [*known][:5])) or "none")
        raise DataError(f"{where}.{name}", f"an id from {listing}", str(key), hint)
    return key


def _field(where: str, one: Any, name: str) -> Any:
    """Return a field of an entry, a number or a string."""
    value = one.get(name) if isinstance(one, Mapping) else None
    if not isinstance(value, int | str) or isinstance(value, bool):
        hint = "writing it as in the other entries"
        raise DataError(f"{where}.{name}", "a whole number or a string", json.dumps(value), hint)
    return value


def _report(file: Path, images: Mapping[Any, Path], regions: Mapping[Any, list[Region]]) -> None:
    """Warn of images without annotations, and of files that the list does not contain."""
    empty = [images[key].name for key, own in regions.items() if not own]
    if empty:
        what = f"annotations are missing for {len(empty):,} of {len(images):,} images, such as "
        what += f"{empty[0]}; all their pixels are {BACKGROUND}"
        warnings.warn(f"{file}: {what}", DataWarning, stacklevel=4)
    known = set(images.values())
    folders = dict.fromkeys(path.parent for path in known)
    others = [path.name for folder in folders for path in images_in(folder) if path not in known]
    if others:
        what = "images that are not listed are left out, such as "
        what += f"{others[0]} ({len(others):,} in all)"
        warnings.warn(f"{file}: {what}", DataWarning, stacklevel=4)
