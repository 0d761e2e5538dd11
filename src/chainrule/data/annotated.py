"""Annotations of any format found, and their pictures read: the door to pictures with boxes.

    a file .json                       COCO
    a folder of .xml                   Pascal VOC; also its folder Annotations
    a folder of .txt                   YOLO; also its folder labels
    a folder with train, dev, test     one of the above in each (val and valid are dev)
    labels/train, images/train, …      the same, the pictures apart

The classes are those of the training part, in its order; another part may not have others.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.annotations import NONE, Annotations, checked_class
from chainrule.data.annotations_coco import read_coco
from chainrule.data.annotations_voc import read_voc
from chainrule.data.annotations_yolo import read_yolo
from chainrule.data.decoding import Listing, decode_parts, size_of_most
from chainrule.data.files import PARTS, combined_digest
from chainrule.data.pictures import check_pillow
from chainrule.errors import DataError, DataWarning

BELOW = ("Annotations", "annotations", "labels")
"""Folders that annotations are in, beside those of the pictures."""

LONGER_SIDE = 320
"""Of pictures, where nothing is said: what small objects need, and a processor bears."""

FORMATS = "a .json file (COCO), a folder of .xml (Pascal VOC) or of .txt (YOLO)"


@dataclass(frozen=True, eq=False)
class Boxed:
    """Pictures X (m, n_H, n_W, n_C) of bytes with their objects; `names` are those of classes."""

    name: str
    X: Any
    Y: np.ndarray
    paths: tuple[Path, ...]
    names: tuple[str, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, rows: Sequence[int] | np.ndarray) -> "Boxed":
        """Some of them."""
        return replace(
            self, X=self.X[rows], Y=self.Y[rows], paths=tuple(self.paths[i] for i in rows)
        )


def find_annotations(
    source: str | Path, *, images: str | Path | None = None
) -> dict[str, Annotations]:
    """The annotations of each part; one part, "train", where the source is not split."""
    source = Path(source)
    if not source.exists():
        raise DataError(str(source), FORMATS, "nothing of that name", "the path of the annotations")
    parts = _parts(source) if source.is_dir() else {}
    if not parts:
        return {"train": read_one(source, images=images)}
    apart = {part: _apart(source, folder) for part, folder in parts.items()}
    how = {part: images if images is not None else apart[part] for part in parts}
    found = {part: read_one(folder, images=how[part]) for part, folder in parts.items()}
    first = found.get("train")
    if first is None:
        hint = "a folder train beside them"
        raise DataError(str(source), "a train part", " and ".join(found), hint)
    return {part: in_order_of(one, first.names, str(source)) for part, one in found.items()}


def read_one(
    source: str | Path, *, images: str | Path | None = None, names: Sequence[str] | None = None
) -> Annotations:
    """The annotations of one file or folder; with `names` its classes have their numbers."""
    source = Path(source)
    check_pillow(str(source))
    if source.is_file() and source.suffix.lower() != ".json":
        raise DataError(str(source), FORMATS, f"a {source.suffix} file", "the annotations")
    if source.is_file():
        made = read_coco(source, images=images)
    elif not source.is_dir():
        raise DataError(str(source), FORMATS, "nothing of that name", "the path of the annotations")
    else:
        made = _folder(source, images)
    return made if names is None else in_order_of(made, names, str(source))


def in_order_of(made: Annotations, names: Sequence[str], where: str) -> Annotations:
    """The same with the classes of `names`; refused where it has an object of another."""
    if tuple(names) == made.names:
        return made
    used = np.unique(np.concatenate(made.classes))
    places = np.full(len(made.names), -1)
    for i in used:
        places[i] = checked_class(where, made.names[i], names)
    return replace(made, classes=tuple(places[own] for own in made.classes), names=tuple(names))


def read_pictures(
    parts: Mapping[str, Annotations], size: tuple[int, int] | None, multiple: int = 1
) -> dict[str, Boxed]:
    """The pixels of all parts at one size (n_H, n_W), or most's, with LONGER_SIDE at most."""
    size = size or size_of_most(parts["train"].paths, LONGER_SIDE, multiple)[0]
    listings = {
        part: Listing(one.paths, [path.name for path in one.paths]) for part, one in parts.items()
    }
    where = str(parts["train"].paths[0].parent)
    decoded = decode_parts(where, listings, size, "train", skip=None)
    found = {}
    most = max(max(map(len, one.boxes), default=1) for one in parts.values())
    for part, one in parts.items():
        X, Y = decoded[part].X, one.padded(max(most, 1))
        X = X[..., None] if X.ndim == 3 else X
        digest = combined_digest([decoded[part].digest, *map(str, one.names), Y.tobytes().hex()])
        found[part] = Boxed(str(one.paths[0].parent), X, Y, one.paths, one.names, digest)
    return found


def of_known_classes(parts: Mapping[str, Boxed]) -> dict[str, Boxed]:
    """The same without the classes that the training part has no object of.

    Nothing can be learned of them, which is said; refused where another part has objects of one.
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
                expected = (
                    f"classes that the training part has: {', '.join(names[j] for j in used)}"
                )
                got = f"{int((own == i).sum())} objects of {names[i]}"
                hint = "more pictures of it, some of them to train on; or leaving them out"
                raise DataError(f"the {part} part", expected, got, hint)
    listed = ", ".join(names[i] for i in unknown)
    said = f"{parts['train'].name}: left out the classes that no object is of: {listed}"
    warnings.warn(said, DataWarning, stacklevel=2)
    places = np.full(len(names) + 1, NONE, np.float32)  # of −1, the last
    places[used] = np.arange(len(used))
    kept = tuple(names[i] for i in used)
    return {
        part: replace(one, Y=_renumbered(one.Y, places), names=kept) for part, one in parts.items()
    }


def _renumbered(Y: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.concatenate([places[Y[..., :1].astype(int)], Y[..., 1:]], axis=-1)


def _parts(source: Path) -> dict[str, Path]:
    """The folders train, dev and test of a source, or of the folder that its annotations are in."""
    for root in (source, *(source / name for name in BELOW)):
        inside = sorted(root.iterdir()) if root.is_dir() else []
        folders = {one.name.lower(): one for one in inside if one.is_dir()}
        found = {PARTS[name]: folder for name, folder in folders.items() if name in PARTS}
        if "train" in found:
            return found
    return {}


def _apart(source: Path, folder: Path) -> Path | None:
    """images/train for labels/train."""
    beside = source / "images" / folder.name
    return beside if folder.parent != source and beside.is_dir() else None


def _folder(source: Path, images: str | Path | None) -> Annotations:
    """A folder of VOC or YOLO files, or with one COCO file."""
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
            hint = f"the one that is meant, such as {coco[0]}"
            raise DataError(str(folder), "one .json file", got, hint)
    found = sorted({file.suffix for file in source.iterdir() if file.is_file()})
    got = f"files that end in {', '.join(found)}" if found else "no files"
    raise DataError(str(source), FORMATS, got, "the folder of the annotations")
