"""Read YOLO data sets described by a data.yaml (Ultralytics, Roboflow) or an obj.data (Darknet).

    data.yaml   names: [cat, dog]          or a mapping from numbers to names
                path: pets                 optional; the others are relative to it
                train: images/train        a folder of images, a text file that lists images,
                val: [a, b]                or several of them

    obj.data    names = data/obj.names
                train = data/train.txt     a text file that lists images

The labels of images/one.jpg are in labels/one.txt, or in one.txt next to the image. Paths are those
of the machine on which the file was written. If there is no such path here, it is searched without
its leading folders: `../train/images`, which Roboflow writes, is train/images next to data.yaml.
A path may lead anywhere below the folder that the user named and that of --images, and nowhere
else.
"""

import os
import reprlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from chainrule.data.decoding import read_image_header
from chainrule.data.files import PARTS
from chainrule.data.images import images_in, subfolders
from chainrule.errors import DataError, DataWarning
from chainrule.host.reading import lines_of, path_inside, read_text, roots_of
from chainrule.vision.detection.annotations import (
    Annotations,
    ImageObjects,
    LineReader,
    build_annotations,
    claim,
    claim_image,
    named_numbers,
    read_class_list,
)
from chainrule.vision.detection.box_checks import BoxChecks
from chainrule.vision.detection.image_files import ImageFolders, spellings

LONGEST = 1_000_000
"""The largest number of characters of a YAML file, which is read slowly."""

GENERIC = ("images", "labels")
"""Names of folders from which the set cannot be recognised."""


class Listed(NamedTuple):
    """An image, and the name by which a list names it, or its path."""

    image: Path
    name: str


class DataFile(NamedTuple):
    """The content of a data.yaml or an obj.data.

    roots       the folders to which paths are relative, in the order in which they are tried
    limits      the folders that no path may leave
    names       the names of the classes by their numbers
    sets        the paths of each set, with the place where each is written
    keypoints   the number of keypoint values in each line of a label file
    """

    file: Path
    roots: list[Path]
    limits: tuple[Path, ...]
    names: dict[int, str]
    sets: dict[str, list[tuple[str, str]]]
    keypoints: int = 0


def is_data_yaml(file: Path) -> bool:
    """Return whether a file is a YAML file that lists classes and a training set."""
    if file.suffix.lower() not in (".yaml", ".yml"):
        return False
    content = _read_yaml(file)
    return isinstance(content, Mapping) and {"names", "train"} <= content.keys()


def read_data_yaml(
    file: Path, *, images: Path | None = None, make_checks: Callable[[], BoxChecks] = BoxChecks
) -> dict[str, Annotations]:
    """Return the annotations of each set of a data.yaml."""
    content = _read_yaml(file)
    if not isinstance(content, Mapping):
        expected, got = "the keys names, train and val", "content without these keys"
        hint = "a line such as train: images/train for each of them"
        raise DataError(str(file), expected, got, hint)
    sets: dict[str, list[tuple[str, str]]] = {}
    written: dict[str, str] = {}
    for key, value in content.items():
        part = PARTS.get(key.lower())
        if part is None or value in ("", "null", "~", []):
            continue
        where = f"{file}, {key}"
        claim(written, part, where, f"one entry for the {part} set", key, "keeping one of them")
        sets[part] = [(where, path) for path in _paths(where, value)]
    roots, limits = [file.parent], _limits(file, images, make_checks)
    for path in _paths(f"{file}, path", content.get("path") or []):
        roots = [found for found in [_existing(roots, limits, path)] if found] + roots
    names = _yaml_names(file, content, limits)
    described = DataFile(file, roots, limits, names, sets, _keypoints(file, content))
    return _read_sets(described, images, make_checks)


def _limits(
    file: Path, images: Path | None, make_checks: Callable[[], BoxChecks]
) -> tuple[Path, ...]:
    """Return the folders that paths may not leave: those that the user named."""
    named = (file.parent, images, make_checks().root)
    return roots_of(folder for folder in named if folder is not None)


def _paths(where: str, value: Any) -> list[str]:
    """Return a path, or a list of paths."""
    paths = value if isinstance(value, list) else [value]
    if not all(isinstance(path, str) for path in paths):
        hint = "train: images/train"
        raise DataError(where, "a path, or a list of paths", brief(value), hint)
    return paths


def read_obj_data(
    file: Path, *, images: Path | None = None, make_checks: Callable[[], BoxChecks] = BoxChecks
) -> dict[str, Annotations]:
    """Return the annotations of each set of an obj.data."""
    values: dict[str, str] = {}
    places: dict[str, str] = {}
    for i, line in enumerate(lines_of(read_text(file)), 1):
        key, equals, value = (part.strip() for part in line.partition("="))
        if equals:
            where = f"{file}, line {i}"
            claim(places, key, where, "each key only once", key, "keeping one of them")
            values[key] = value
    roots, limits = [file.parent, file.parent.parent], _limits(file, images, make_checks)
    listed = values.get("names", "obj.names")
    names = _existing(roots, limits, listed)
    if names is None:
        hint = "adding the list of class names"
        raise DataError(places.get("names", str(file)), f"the file {listed}", "no such file", hint)
    sets = {
        PARTS[key]: [(places[key], value)]
        for key, value in values.items()
        if key in PARTS and value
    }
    described = DataFile(file, roots, limits, read_class_list(names), sets)
    return _read_sets(described, images, make_checks)


def _read_sets(
    described: DataFile, images: Path | None, make_checks: Callable[[], BoxChecks]
) -> dict[str, Annotations]:
    """Return the annotations of each set; a missing dev or test set is left out with a warning."""
    found = {}
    for part, entries in described.sets.items():
        paths = [
            (where, _existing(described.roots, described.limits, path), path)
            for where, path in entries
        ]
        missing = [(where, path) for where, found_path, path in paths if found_path is None]
        if missing and (part == "train" or len(missing) < len(paths)):
            where, path = missing[0]
            hint = "the folder of the images, relative to this file"
            got = f"no such file or folder in {described.file.parent}"
            raise DataError(where, f"the images {path}", got, hint)
        if missing:
            message = f"{missing[0][0]}: the {part} set is left out: there is no {missing[0][1]}"
            warnings.warn(message, DataWarning, stacklevel=4)
            continue
        there = [(where, path) for where, path, _ in paths if path is not None]
        found[part] = _read_set(described, part, there, images, make_checks())
    return found


def _read_set(
    described: DataFile,
    part: str,
    paths: list[tuple[str, Path]],
    images: Path | None,
    checks: BoxChecks,
) -> Annotations:
    """Return the annotations of one set."""
    source = f"{described.file}, the {part} set"
    reader = LineReader(described.names, checks, described.keypoints)
    places: dict[Path, str] = {}
    used: set[Path] = set()
    found = []
    for where, path in paths:
        entries = _images_below(path) if path.is_dir() else _listed(path, described, images)
        if not entries:
            hint = "the folder that holds the images"
            raise DataError(where, f"images in {path}", "none", hint)
        for place, one in entries:
            claim_image(places, one.image, place or f"{where} ({path})")
            read_image_header(one.image)  # raises an error if it is not an image
            own = ImageObjects(one.image)
            if (label := _label_of(one, described)) is not None:
                used.add(label)
                reader.read(label, own)
            found.append(own)
        if path.is_dir():
            _check_labels(used, path)
    reader.report(source)
    found.sort(key=lambda one: one.path)
    return build_annotations(source, found, [*described.names.values()])


def _listed(path: Path, described: DataFile, images: Path | None) -> list[tuple[str, Listed]]:
    """Return the images that a text file lists, with the line of each."""
    folders = [images] if images else [path.parent, *described.roots]
    finder, found = ImageFolders(folders, limits=[*described.limits, path.parent]), []
    for i, line in enumerate(lines_of(read_text(path)), 1):
        if name := line.strip():
            where = f"{path}, line {i}"
            found.append((where, Listed(finder.find(where, name), name)))
    finder.report(str(path))
    return found


def _images_below(path: Path) -> list[tuple[str, Listed]]:
    """Return the images in a folder and its subfolders, each folder once, whatever links there."""
    seen: set[Path] = set()

    def look(folder: Path) -> Iterator[Path]:
        if (real := folder.resolve()) not in seen:
            seen.add(real)
            yield from images_in(folder)
            for inner in subfolders(folder):
                yield from look(inner)

    return [("", Listed(image, str(image))) for image in look(path)]


def _label_of(one: Listed, described: DataFile) -> Path | None:
    """Return the text file of an image, or None for an image without objects."""
    near = _label_paths(one.image)
    finder = ImageFolders([path.parent for path in near], suffixes=(".txt",))
    found = finder.search(str(one.image), one.image.stem, stem=True)
    if found is not None or one.name == str(one.image):
        return found
    listed = [str(path.with_suffix("")) for path in _label_paths(Path(one.name))]
    finder = ImageFolders(described.roots, limits=described.limits, suffixes=(".txt",))
    found = [finder.search(str(one.image), name, stem=True) for name in listed]
    return next((path for path in found if path is not None), None)


def _label_paths(image: Path) -> list[Path]:
    """Return where the text file of an image may be: in `labels`, or next to the image.

    >>> [str(path) for path in _label_paths(Path("a/images/train/1.jpg"))]
    ['a/labels/train/1.txt', 'a/images/train/1.txt']
    """
    beside = image.parent / f"{image.stem}.txt"
    parts = list(beside.parts)
    at = [i for i, part in enumerate(parts[:-1]) if part.lower() == "images"]
    if not at:
        return [beside]
    parts[at[-1]] = "labels"
    return [Path(*parts), beside]


def _check_labels(used: set[Path], folder: Path) -> None:
    """Refuse a text file without an image, in the folders of the labels of a set."""
    for labels in {path.parent for path in used}:
        if labels == folder:
            continue
        for file in sorted(labels.glob("*.txt")):
            if file not in used and file.name != "classes.txt":
                hint = "adding the image, or removing the labels"
                got = f"no such image in {folder}"
                raise DataError(str(file), f"its image {file.stem}", got, hint)


def _existing(roots: list[Path], limits: Sequence[Path], written: str) -> Path | None:
    """Return the path that is meant, relative to one of the roots; None if there is none.

    A spelling that leads outside of the limits is skipped. A path is searched without its leading
    folders too, but not as images or labels alone, since these may be those of another set.
    """
    for name in spellings(written.strip()):
        if name in GENERIC and name != written.strip():
            continue
        for root in roots:
            path = path_inside(root, name, limits) if name else None
            if path is not None and os.path.exists(path):
                return path.resolve()
    return None


# YAML


class _Loader(yaml.BaseLoader):
    """A loader that keeps scalars as text, and refuses a key that occurs twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        places: dict[str, str] = {}
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            where = f"{self.name}, line {key.start_mark.line + 1}"
            expected, hint = "each key once", "keeping one of them"
            claim(places, key.value, where, expected, repr(key.value), hint)
        return super().construct_mapping(node, deep)


def _read_yaml(file: Path) -> Any:
    """Return the content of a YAML file, with all numbers and words as text; tags are ignored."""
    text = read_text(file)
    if len(text) > LONGEST:
        hint = "the names of the classes in a text file, with names: FILE"
        raise DataError(str(file), f"at most {LONGEST:,} characters", f"{len(text):,}", hint)
    try:
        loader = _Loader(text)
        loader.name = str(file)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        hint = "the complete file: this one is damaged"
        got = f"an error in the file ({error.problem})"
        raise DataError(f"{file}{line}", "valid YAML", got, hint) from None
    except RecursionError:
        got, hint = "lists that are nested too deeply", "the complete file: this one is damaged"
        raise DataError(str(file), "valid YAML", got, hint) from None
    except yaml.YAMLError as error:
        got = str(error).splitlines()[0]
        got = f"an error in the file ({got})"
        raise DataError(str(file), "valid YAML", got, "saving it as UTF-8") from None


def brief(value: Any) -> str:
    """Return the beginning of a value in messages; a list can contain itself, or grow by anchors.

    >>> brief(["a", {"b": ["c"]}])
    "['a', {'b': [...]}]"
    """
    shown = reprlib.Repr()
    shown.maxlevel = 2
    return value if isinstance(value, str) else shown.repr(value)


def _yaml_names(file: Path, content: Mapping[str, Any], limits: Sequence[Path]) -> dict[int, str]:
    """Return the names of the classes by their numbers."""
    where, given = f"{file}, names", content.get("names")
    expected = "a list of class names, or a mapping from numbers to names"
    if isinstance(given, str):
        path = _existing([file.parent], limits, given)
        if path is None or not path.is_file():
            raise DataError(where, expected, repr(given), "names: [cat, dog]")
        return read_class_list(path)
    if not isinstance(given, list | Mapping):
        raise DataError(where, expected, "none", "names: [cat, dog]")
    pairs = [*given.items()] if isinstance(given, Mapping) else [*enumerate(given)]
    entries = []
    for number, name in pairs:
        if not (_is_count(str(number)) and isinstance(name, str)):
            raise DataError(where, expected, f"{number}: {brief(name)}", "names: [cat, dog]")
        if name.strip() and name not in ("null", "~"):
            entries.append((f"{where}[{number}]", int(number), name.strip()))
    names = named_numbers(entries)
    count = content.get("nc")
    if count is not None and brief(count).strip() != str(len(pairs)):
        hint = "correcting the number of classes, nc, or their names"
        raise DataError(f"{file}, nc", f"{len(pairs)}, the number of names", brief(count), hint)
    return names


def _keypoints(file: Path, content: Mapping[str, Any]) -> int:
    """Return how many numbers of a line are keypoints: the product of kpt_shape, or 0."""
    shape = content.get("kpt_shape") or ["0"]
    known = isinstance(shape, list) and all(isinstance(one, str) for one in shape)
    if not (known and len(shape) <= 2 and all(map(_is_count, shape))):
        where, hint = f"{file}, kpt_shape", "kpt_shape: [17, 3]"
        raise DataError(where, "two whole numbers", brief(shape), hint)
    return prod(map(int, shape))


def _is_count(text: str) -> bool:
    """Return whether a text is a whole number of a reasonable size."""
    return text.isdecimal() and len(text) <= 9
