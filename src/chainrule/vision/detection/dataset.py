"""Read bounding-box annotations in any supported format, together with their images.

    a .json file                       COCO, or an export of Label Studio
    a folder of .xml files             Pascal VOC; its parent folder is accepted too
    a folder of .txt files             YOLO; its parent folder is accepted too
    a data.yaml or an obj.data         YOLO, with the sets that the file lists
    an annotations.xml                 CVAT
    a folder with one of these files   the same
    a folder with train, dev, test     one of the above in each (val and valid mean dev)
    labels/train, images/train, …      the same, with the images in a separate folder
    annotations/instances_train2017.json, …     COCO-2017: one file for each set

The classes and their order are those of the training set; dev and test may not have others.
"""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from chainrule.data.decoding import Listing, check_pillow, decode_parts, most_frequent_size
from chainrule.data.files import PARTS, choose_part, combined_digest
from chainrule.data.images import visible
from chainrule.errors import DataError, DataWarning
from chainrule.host.reading import check_regular
from chainrule.vision.detection.annotations import (
    CLASSES,
    IGNORED,
    NONE,
    Annotations,
    checked_class,
    coco_annotations,
    parse_xml,
    read_coco,
    read_exported,
    read_voc,
    read_yolo,
    set_names,
)
from chainrule.vision.detection.box_checks import BoxChecks
from chainrule.vision.detection.cvat import ROOT, read_cvat
from chainrule.vision.detection.image_files import claim, image_folders
from chainrule.vision.detection.label_studio import read_label_studio
from chainrule.vision.detection.yolo_lists import is_data_yaml, read_data_yaml, read_obj_data
from chainrule.vision.parts import LabelledImages

BELOW = ("Annotations", "annotations", "labels")
"""Names of subfolders that may hold the annotations."""

LONGER_SIDE = 320
"""Default limit on the longer side of an image: enough for small objects, affordable on a CPU."""

FORMATS = "a .json file (COCO), or a folder of .xml (Pascal VOC) or .txt (YOLO) files"

OTHER_JSON = ("captions_", "stuff_", "panoptic_", "image_info_", "notes")
"""The beginnings of the names of .json files that come with annotations but contain no boxes."""

MakeChecks = Callable[[], BoxChecks]


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
    source: str | Path, *, images: str | Path | None = None, boxes: str = "clip"
) -> dict[str, Annotations]:
    """Return the annotations of each set; a source that is not split has only "train".

    `boxes` says what happens to boxes that leave their image slightly or have no area: "clip" or
    "strict"; see `vision/detection/box_checks.py`.
    """
    source, images = Path(source), None if images is None else Path(images)
    check_pillow(str(source))
    root = source if os.path.isdir(source) else source.parent
    make_checks = partial(BoxChecks, boxes, root)
    if not os.path.exists(source):  # also a name that no file can have
        raise DataError(str(source), FORMATS, "no such file or folder", "checking the path")
    if not os.path.isdir(source):
        check_regular(source)
        found = _read_file(source, images, make_checks)
    elif (file := _data_file(source)) is not None:
        found = _read_file(file, images, make_checks)
    elif parts := _json_parts(source) or _parts(source):
        found = {}
        for part, path in parts.items():
            folder = images if images is not None else _separate_images(source, path)
            found[part] = _read_one(path, folder, make_checks())
    else:
        found = {"train": _read_folder(source, images, make_checks())}
    first = found.get("train")
    if first is None:
        hint = "adding a folder train next to them"
        raise DataError(str(source), "a training set", "only " + " and ".join(found), hint)
    return {part: reorder_classes(one, first.names, str(source)) for part, one in found.items()}


def read_annotations(
    source: str | Path,
    *,
    images: str | Path | None = None,
    names: Sequence[str] | None = None,
    boxes: str = "clip",
    part: str = "train",
) -> Annotations:
    """Read one set; `names` fixes the classes and their order.

    If the source has several sets, `part` is read.
    """
    found = find_annotations(source, images=images, boxes=boxes)
    annotations = found[choose_part(str(source), found, part)]
    return annotations if names is None else reorder_classes(annotations, names, str(source))


def reorder_classes(annotations: Annotations, names: Sequence[str], where: str) -> Annotations:
    """Renumber the classes in the order of `names`; refuse objects of any other class."""
    if tuple(names) == annotations.names:
        return annotations
    regions = [own[:, 0].astype(int) for own in annotations.ignored]
    used = np.unique(np.concatenate([*annotations.classes, *regions]))
    positions = np.full(len(annotations.names), -1)
    for i in used:
        positions[i] = checked_class(where, annotations.names[i], names)
    classes = tuple(positions[own] for own in annotations.classes)
    ignored = tuple(
        np.column_stack([positions[kinds], own[:, 1:]])
        for kinds, own in zip(regions, annotations.ignored, strict=True)
    )
    return replace(annotations, classes=classes, names=tuple(names), ignored=ignored)


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
    most = max(one.most for one in parts.values())
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
    positions = np.full(len(names), NONE, np.float32)
    positions[used] = np.arange(len(used))
    used_names = tuple(names[i] for i in used)
    return {
        part: replace(one, Y=_renumbered(one.Y, positions), names=used_names)
        for part, one in parts.items()
    }


def _renumbered(Y: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return Y with class i replaced by positions[i], and likewise for ignored regions."""
    old = Y[..., :1].astype(int)
    new = np.where(old >= 0, positions[np.maximum(old, 0)], np.float32(NONE))
    regions = positions[np.maximum(IGNORED - old, 0)]
    known = (old <= IGNORED) & (regions != NONE)
    return np.concatenate([np.where(known, IGNORED - regions, new), Y[..., 1:]], axis=-1)


def _inside(root: Path) -> list[Path]:
    """Return the visible files and folders in a folder, by name."""
    return sorted(filter(visible, root.iterdir())) if root.is_dir() else []


def _parts(source: Path) -> dict[str, Path]:
    """Return the folders train, dev and test of a source, or of its annotation folder."""
    for root in (source, *(source / name for name in BELOW)):
        found: dict[str, Path] = {}
        places: dict[str, str] = {}
        for folder in _inside(root):
            part = PARTS.get(folder.name.lower()) if folder.is_dir() else None
            if part is not None:
                expected, hint = f"one folder for the {part} set", "keeping one of them"
                claim(places, part, str(folder), expected, folder.name, hint)
                found[part] = folder
        if "train" in found:
            return found
    return {}


def _json_parts(source: Path) -> dict[str, Path]:
    """Return the .json files of a folder whose names are those of sets: instances_train2017."""
    if any(_holds_annotations(folder) for folder in _parts(source).values()):
        return {}
    for root in (source, *(source / name for name in BELOW)):
        found: dict[str, Path] = {}
        places: dict[str, str] = {}
        for file in _json_files(root):
            part = PARTS.get(names[-1].lower()) if (names := set_names(file.stem)) else None
            if part is not None:
                expected, hint = f"one file for the {part} set", "naming the file itself"
                claim(places, part, str(file), expected, file.name, hint)
                found[part] = file
        if "train" in found and len(found) > 1:
            return found
    return {}


def _json_files(folder: Path) -> list[Path]:
    """Return the .json files of a folder that may hold boxes."""
    files = [file for file in _inside(folder) if file.suffix.lower() == ".json"]
    files = [file for file in files if not file.name.startswith(OTHER_JSON)]
    instances = [file for file in files if file.name.startswith("instances_")]
    return instances or files  # COCO-2017 has person_keypoints_train2017.json, … beside them


def _holds_annotations(folder: Path) -> bool:
    """Return whether a folder, or its folder of annotations, has files that may be annotations."""
    folders = (folder, *(folder / name for name in BELOW))
    suffixes = {file.suffix.lower() for one in folders for file in _inside(one)}
    return bool(suffixes & {".json", ".xml", ".txt"})


def _data_file(source: Path) -> Path | None:
    """Return the data.yaml, the obj.data or the annotations.xml of a folder."""
    files = [file for file in _inside(source) if file.is_file()]
    yamls = [file for file in files if is_data_yaml(file)]
    named = [file for file in yamls if file.stem.lower() in ("data", "dataset")]
    darknet = [file for file in files if file.suffix.lower() == ".data"]
    cvat = [file for file in files if file.name.lower() == "annotations.xml"]
    found = [*(named or yamls), *darknet, *cvat]
    if len(found) > 1:
        got = f"{len(found)}: {', '.join(file.name for file in found[:3])}"
        hint = f"the path of the file as SOURCE, such as {found[0]}"
        raise DataError(str(source), "one file that describes the data", got, hint)
    return found[0] if found else None


def _read_file(file: Path, images: Path | None, make_checks: MakeChecks) -> dict[str, Annotations]:
    """Return the annotations of each set of a file."""
    suffix = file.suffix.lower()
    if suffix in (".yaml", ".yml"):
        return read_data_yaml(file, images=images, make_checks=make_checks)
    if suffix == ".data":
        return read_obj_data(file, images=images, make_checks=make_checks)
    if suffix == ".xml":
        return read_cvat(file, images=images, make_checks=make_checks)
    if suffix != ".json":
        hint = "unpacking it" if suffix == ".zip" else "exporting them in one of these formats"
        raise DataError(str(file), FORMATS, f"a {file.suffix} file", hint)
    return {"train": _read_json_file(file, images, make_checks())}


def _read_json_file(file: Path, images: Path | None, checks: BoxChecks) -> Annotations:
    """Read a file in the format of COCO, or an export of Label Studio."""
    content = read_exported(file)
    if isinstance(content, list) and content:
        return read_label_studio(file, content, images, checks)
    return coco_annotations(file, content, images, checks)


def _read_one(path: Path, images: Path | None, checks: BoxChecks) -> Annotations:
    """Read the file or the folder of one set."""
    if path.is_file():
        return read_coco(path, images=images, checks=checks)
    return _read_folder(path, images, checks)


def _separate_images(source: Path, path: Path) -> Path | None:
    """Return images/train for labels/train, if there is such a folder."""
    image_folder = source / "images" / path.name
    return image_folder if path.parent != source and image_folder.is_dir() else None


def _read_folder(source: Path, images: Path | None, checks: BoxChecks) -> Annotations:
    """Read a folder of VOC or YOLO files, or one with a single JSON file."""
    folders = [one for one in (source, *(source / name for name in BELOW)) if one.is_dir()]
    for folder in folders:
        finder = image_folders(folder, images, [folder.name])
        text = [one for one in _label_stems(folder) if finder.search(one, one, stem=True)]
        files = _xml_files(folder)[:1] or _json_files(folder)
        if files and text:
            got = f"both {files[0].name} and {text[0]}.txt"
            hint = "keeping the files of one format in the folder"
            raise DataError(str(folder), "annotations in one format", got, hint)
        if files:
            return _read_files(folder, files, images, checks)
        if text:
            return read_yolo(folder, images=images, checks=checks)
    if labels := next(filter(_label_stems, folders), None):
        return read_yolo(labels, images=images, checks=checks)  # which says what is missing
    found = sorted({file.suffix for file in source.iterdir() if file.is_file()})
    got = f"only files with suffix {', '.join(found)}" if found else "no files"
    raise DataError(str(source), FORMATS, got, "the folder that holds the annotations")


def _read_files(
    folder: Path, files: list[Path], images: Path | None, checks: BoxChecks
) -> Annotations:
    """Read the .xml files of a folder, or its only .json file."""
    first = files[0]
    if first.suffix.lower() == ".xml" and parse_xml(first).tag != ROOT:
        return read_voc(folder, images=images, checks=checks)
    if first.suffix.lower() == ".xml":
        expected, got = "the files of Pascal VOC", f"{first.name}, a file of CVAT"
        raise DataError(str(folder), expected, got, f"the path of the file as SOURCE: {first}")
    if len(files) == 1:
        return _read_json_file(first, images, checks)
    got = f"{len(files)}: {', '.join(file.name for file in files[:3])}"
    hint = f"the path of the file as SOURCE, such as {first}"
    raise DataError(str(folder), "one .json file", got, hint)


def _xml_files(folder: Path) -> list[Path]:
    """Return the .xml files of a folder, by name."""
    return [file for file in _inside(folder) if file.suffix.lower() == ".xml"]


def _label_stems(folder: Path) -> list[str]:
    """Return the names, without their suffix, of the text files of a folder that may be labels."""
    files = [file for file in _inside(folder) if file.suffix.lower() == ".txt"]
    stems = [file.stem for file in files if file.name.lower() != CLASSES]
    return [stem for stem in stems if not stem.lower().startswith("readme")]
