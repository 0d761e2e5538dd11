"""Read bounding-box annotations in any supported format, together with their images.

    a .json file                       COCO
    a folder of .xml files             Pascal VOC; its parent folder is accepted too
    a folder of .txt files             YOLO; its parent folder is accepted too
    a folder with train, dev, test     one of the above in each (val and valid mean dev)
    labels/train, images/train, …      the same, with the images in a separate folder

The classes and their order are those of the training set; dev and test may not have others.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chainrule.data.decoding import Listing, check_pillow, decode_parts, most_frequent_size
from chainrule.data.files import PARTS, combined_digest
from chainrule.errors import DataError, DataWarning
from chainrule.vision.detection.annotations import (
    NONE,
    Annotations,
    checked_class,
    read_coco,
    read_voc,
    read_yolo,
)
from chainrule.vision.parts import LabelledImages

BELOW = ("Annotations", "annotations", "labels")
"""Names of subfolders that may hold the annotations."""

LONGER_SIDE = 320
"""Default limit on the longer side of an image: enough for small objects, affordable on a CPU."""

FORMATS = "a .json file (COCO), or a folder of .xml (Pascal VOC) or .txt (YOLO) files"


@dataclass(frozen=True, eq=False)
class BoxedImages(LabelledImages):
    """Images X (m, n_H, n_W, n_C) in bytes with labelled boxes; `names` are the class names."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    digest: str

    def rows(self, rows: Sequence[int] | np.ndarray) -> "BoxedImages":
        """Return the examples with these row numbers."""
        return replace(
            self, X=self.X[rows], Y=self.Y[rows], paths=tuple(self.paths[i] for i in rows)
        )


def find_annotations(
    source: str | Path, *, images: str | Path | None = None
) -> dict[str, Annotations]:
    """Return the annotations of each set; a source that is not split has only "train"."""
    source = Path(source)
    if not source.exists():
        raise DataError(str(source), FORMATS, "no such path", "the path of the annotations")
    parts = _parts(source) if source.is_dir() else {}
    if not parts:
        return {"train": read_annotations(source, images=images)}
    separate = {part: _separate_images(source, folder) for part, folder in parts.items()}
    image_folders = {part: images if images is not None else separate[part] for part in parts}
    found = {
        part: read_annotations(folder, images=image_folders[part]) for part, folder in parts.items()
    }
    first = found.get("train")
    if first is None:
        hint = "adding a folder train next to them"
        raise DataError(str(source), "a training set", "only " + " and ".join(found), hint)
    return {part: reorder_classes(one, first.names, str(source)) for part, one in found.items()}


def read_annotations(
    source: str | Path, *, images: str | Path | None = None, names: Sequence[str] | None = None
) -> Annotations:
    """Read the annotations of one file or folder; `names` fixes the classes and their order."""
    source = Path(source)
    check_pillow(str(source))
    if source.is_file() and source.suffix.lower() != ".json":
        hint = "the path of the annotations"
        raise DataError(str(source), FORMATS, f"a {source.suffix} file", hint)
    if source.is_file():
        annotations = read_coco(source, images=images)
    elif not source.is_dir():
        raise DataError(str(source), FORMATS, "no such path", "the path of the annotations")
    else:
        annotations = _read_folder(source, images)
    return annotations if names is None else reorder_classes(annotations, names, str(source))


def reorder_classes(annotations: Annotations, names: Sequence[str], where: str) -> Annotations:
    """Renumber the classes in the order of `names`; refuse objects of any other class."""
    if tuple(names) == annotations.names:
        return annotations
    used = np.unique(np.concatenate(annotations.classes))
    positions = np.full(len(annotations.names), -1)
    for i in used:
        positions[i] = checked_class(where, annotations.names[i], names)
    classes = tuple(positions[own] for own in annotations.classes)
    return replace(annotations, classes=classes, names=tuple(names))


def read_boxed_images(
    parts: Mapping[str, Annotations],
    size: tuple[int, int] | None,
    multiple: int = 1,
    *,
    white: int | None = None,
) -> dict[str, BoxedImages]:
    """Read all images at one size (n_H, n_W).

    Without a `size`, it is the most frequent one, reduced to at most LONGER_SIDE. `white` is the
    value of white in images with 16 bits; None: from the largest value of the training set.
    """
    size = size or most_frequent_size(parts["train"].paths, LONGER_SIDE, multiple)[0]
    listings = {
        part: Listing(one.paths, [path.name for path in one.paths]) for part, one in parts.items()
    }
    where = str(parts["train"].paths[0].parent)
    decoded = decode_parts(where, listings, size, "train", skip=None, white=white)
    found = {}
    most = max(max(map(len, one.boxes), default=1) for one in parts.values())
    for part, one in parts.items():
        X, Y = decoded[part].X, one.padded(max(most, 1))
        X = X[..., None] if X.ndim == 3 else X
        digest = combined_digest([decoded[part].digest, *map(str, one.names), Y.tobytes().hex()])
        own = str(one.paths[0].parent), X, Y, one.paths, one.names, digest
        found[part] = BoxedImages(*own, white=decoded[part].white)
    return found


def drop_unseen_classes(parts: Mapping[str, BoxedImages]) -> dict[str, BoxedImages]:
    """Drop the classes that no object of the training set belongs to, and warn about them.

    Raises DataError if another set has objects of such a class: they could not be learned.
    """
    names = parts["train"].names
    numbers = {part: one.Y[..., 0].astype(int) for part, one in parts.items()}
    used = [i for i in range(len(names)) if (numbers["train"] == i).any()]
    unknown = [i for i in range(len(names)) if i not in used]
    if not unknown:
        return dict(parts)
    for part, own in numbers.items():
        for i in unknown:
            if (own == i).any():
                listed = ", ".join(names[j] for j in used)
                expected = f"only classes that occur in the training set: {listed}"
                got = f"{int((own == i).sum())} objects of class {names[i]}"
                hint = "adding training images of this class, or removing these objects"
                raise DataError(f"the {part} set", expected, got, hint)
    listed = ", ".join(names[i] for i in unknown)
    message = f"{parts['train'].name}: ignored the classes without any training object: {listed}"
    warnings.warn(message, DataWarning, stacklevel=2)
    positions = np.full(len(names) + 1, NONE, np.float32)  # [-1]: no object
    positions[used] = np.arange(len(used))
    used_names = tuple(names[i] for i in used)
    return {
        part: replace(one, Y=_renumbered(one.Y, positions), names=used_names)
        for part, one in parts.items()
    }


def _renumbered(Y: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return Y with class i replaced by positions[i]."""
    return np.concatenate([positions[Y[..., :1].astype(int)], Y[..., 1:]], axis=-1)


def _parts(source: Path) -> dict[str, Path]:
    """Return the folders train, dev and test of a source, or of its annotation folder."""
    for root in (source, *(source / name for name in BELOW)):
        inside = sorted(root.iterdir()) if root.is_dir() else []
        folders = {one.name.lower(): one for one in inside if one.is_dir()}
        found = {PARTS[name]: folder for name, folder in folders.items() if name in PARTS}
        if "train" in found:
            return found
    return {}


def _separate_images(source: Path, folder: Path) -> Path | None:
    """Return images/train for labels/train, if there is such a folder."""
    image_folder = source / "images" / folder.name
    return image_folder if folder.parent != source and image_folder.is_dir() else None


def _read_folder(source: Path, images: str | Path | None) -> Annotations:
    """Read a folder of VOC or YOLO files, or one with a single COCO file."""
    for folder in (source, *(source / name for name in BELOW)):
        if not folder.is_dir():
            continue
        suffixes = {file.suffix.lower() for file in folder.iterdir() if file.name != "classes.txt"}
        if ".xml" in suffixes:
            return read_voc(folder, images=images)
        if ".txt" in suffixes:
            return read_yolo(folder, images=images)
        coco = sorted(folder.glob("*.json"))
        if len(coco) == 1:
            return read_coco(coco[0], images=images)
        if coco:
            got = f"{len(coco)}: {', '.join(file.name for file in coco[:3])}"
            hint = f"naming the file itself, such as {coco[0]}"
            raise DataError(str(folder), "one .json file", got, hint)
    found = sorted({file.suffix for file in source.iterdir() if file.is_file()})
    got = f"only files with suffix {', '.join(found)}" if found else "no files"
    raise DataError(str(source), FORMATS, got, "the folder that holds the annotations")
