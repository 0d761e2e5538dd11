"""Read many odd files whose right reading is known, and count how each was read.

    python -m tests.validation.files 5000 [--seed 0] [--only table,arrays,…]

    tables      separators, decimal signs, thousands, quotes, encodings, blank lines, identifiers,
                leading zeros, dates, blanks, missing values, labels of every type
    arrays      .npz, .npy and .mat files of every type, transposed or not, split or not
    folders     folders of new images: subfolders, other files, names without a suffix
    pictures    every mode and depth, with orientation, transparency and several frames
    boxes       COCO, Pascal VOC and YOLO with defects of every kind
    masks       values, colours, palettes and names

Each file must be read right, refused with chainrule's own error, or reported in a warning. A wrong
value without a word, a lost row and a traceback count as failures: they are listed with the number
of the case, and the exit code is 1. `--case N` runs a single case again and prints its files.
"""

import argparse
import csv
import io
import json
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.load import load
from chainrule.errors import ChainruleError, DataWarning

Random = np.random.Generator


@dataclass
class Case:
    """A file, how to read it, and what must come out.

    read     a function that reads the file and returns values by name
    truth    the right values by name: numbers, or texts
    defects  what is odd about the file
    """

    read: Callable[[], dict[str, Any]]
    truth: dict[str, Any]
    defects: list[str] = field(default_factory=list)


def judge(case: Case) -> tuple[str, str]:
    """Return how the file was read (right, refused, reported or wrong), and the details."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = case.read()
        except ChainruleError as error:
            return "refused", str(error)
        except Exception:
            return "traceback", traceback.format_exc(limit=-3)
    notes = [str(one.message) for one in said if issubclass(one.category, DataWarning)]
    others = [str(one.message) for one in said if not issubclass(one.category, DataWarning)]
    differences = [name for name in case.truth if not same(found.get(name), case.truth[name])]
    if others:
        return "wrong", f"a warning of another kind: {others[0]}"
    if not differences:
        return "right", ""
    first = differences[0]
    details = f"{first}: {shown(found.get(first))} instead of {shown(case.truth[first])}"
    return ("reported" if notes else "wrong"), f"{details}; {notes}"


def same(found: Any, truth: Any) -> bool:
    """Return whether values are the right ones; numbers may differ in the last digits."""
    if found is None or len(found) != len(truth):
        return False
    if isinstance(truth, np.ndarray) and truth.dtype.kind in "fiub":
        numbers = np.asarray(found)
        if numbers.dtype.kind not in "fiub" or numbers.shape != truth.shape:
            return False
        return np.allclose(numbers, truth, rtol=1e-12, atol=0, equal_nan=True)
    return all(text_of(one) == text_of(other) for one, other in zip(found, truth, strict=True))


def text_of(value: Any) -> str | None:
    """Return a label or a cell as text; None for a missing one."""
    missing = value is None or (isinstance(value, float) and np.isnan(value))
    return None if missing else str(value)


def shown(values: Any) -> str:
    """Return the first values."""
    return "nothing" if values is None else f"{np.asarray(values)[:6].tolist()} ({len(values)})"


# Tables


@dataclass
class Form:
    """How a table is written: m rows, the separators, and what is odd about it."""

    random: Random
    m: int
    separator: str
    decimal: str
    group: str
    defects: list[str]

    @classmethod
    def draw(cls, random: Random) -> "Form":
        """Choose the separators."""
        separator = str(random.choice([",", ";", "\t", "|"]))
        decimal = "," if separator != "," and random.random() < 0.5 else "."
        group = {".": ",", ",": "."}[decimal] if random.random() < 0.25 else ""
        defects = ["decimal comma"] * (decimal == ",") + ["thousands"] * bool(group)
        return cls(random, int(random.integers(3, 25)), separator, decimal, group, defects)

    def odd(self, name: str, probability: float = 0.25) -> bool:
        """Choose whether the table has this defect."""
        chosen = bool(self.random.random() < probability)
        if chosen:
            self.defects.append(name)
        return chosen


Column = tuple[list[str], Any]
"""The cells as they are written, and the right values."""


def grouped(form: Form) -> Column:
    """Whole numbers whose digits are grouped."""
    values = form.random.integers(1000, 9_999_999, form.m)
    return [f"{x:,}".replace(",", form.group) for x in values.tolist()], values


def grouped_fractions(form: Form) -> Column:
    """Fractions whose digits are grouped."""
    values = np.round(form.random.uniform(1000, 1e6, form.m), 2)
    swap = str.maketrans(",.", f"{form.group}{form.decimal}")
    return [f"{x:,.2f}".translate(swap) for x in values.tolist()], values


def long_numbers(form: Form) -> Column:
    """Whole numbers beyond float32."""
    values = form.random.integers(2**24, 2**50, form.m)
    return [str(x) for x in values.tolist()], values


def leading_zeros(form: Form) -> Column:
    """Postcodes."""
    codes = [f"{x:05d}" for x in form.random.integers(1, 99_999, form.m).tolist()]
    codes[0] = "02139"
    return codes, codes


def texts(form: Form) -> Column:
    """Texts that need quotes."""
    words = ["red", "blue", "a b", "x, y", 'say "no"', "a;b", "é", "two\nlines", "|"]
    cells = [words[i] for i in form.random.integers(0, len(words), form.m)]
    return cells, cells


def gaps(form: Form) -> Column:
    """Numbers, some of which are missing in different ways."""
    values = np.round(form.random.uniform(0, 10, form.m), 2)
    gone = form.random.random(form.m) < 0.3
    ways = ["", "NA", "NaN", "null", " "]
    cells = [
        ways[form.random.integers(len(ways))] if missing else spelled(x, form.decimal)
        for x, missing in zip(values, gone, strict=True)
    ]
    return cells, np.where(gone, np.nan, values)


def dates(form: Form) -> Column:
    """Dates, which are no numbers."""
    days = form.random.integers(1, 29, form.m).tolist()
    cells = [f"{d:02d}.{1 + d % 12:02d}.2024" for d in days]
    return cells, cells


ODD: dict[str, Callable[[Form], Column]] = {
    "whole": long_numbers,
    "zip": leading_zeros,
    "text": texts,
    "gaps": gaps,
    "day": dates,
}


def table(random: Random, folder: Path) -> Case:
    """Write a table with columns of known values in an odd form."""
    form = Form.draw(random)
    numbers = np.round(random.uniform(0, 10, form.m), int(random.integers(1, 4)))
    columns: dict[str, Column] = {"a": ([spelled(x, form.decimal) for x in numbers], numbers)}
    if form.group:
        columns |= {"large": grouped(form), "both": grouped_fractions(form)}
    columns |= {name: make(form) for name, make in ODD.items() if form.odd(name)}
    labels, kind = label_cells(random, form.m, form.decimal)
    form.defects.append(kind)
    columns["y"] = labels, true_labels(labels, kind, form.decimal)
    suffix = ".tsv" if form.separator == "\t" else str(random.choice([".csv", ".txt", ".CSV"]))
    path = folder / f"a{suffix}"
    encodings = ["utf-8", "utf-8-sig", "latin-1", "utf-16"]
    encoding = str(random.choice(encodings, p=[0.7, 0.2, 0.05, 0.05]))
    form.defects.append(encoding)
    cells = padded({name: written for name, (written, _) in columns.items()}, form)
    path.write_bytes(content_of(cells, form).encode(encoding))
    task = "classification" if kind != "quantities" else None

    def read() -> dict[str, Any]:
        data = load(path, target="y", task=task)
        return {**{name: data.X[name].to_numpy() for name in data.X}, "y": data.y}

    return Case(read, {name: truth for name, (_, truth) in columns.items()}, form.defects)


def padded(columns: dict[str, list[str]], form: Form) -> dict[str, list[str]]:
    """Put blanks around texts and labels, or leave them as they are."""
    if not form.odd("blanks around cells"):
        return columns
    pad = form.random.choice(["", " ", "  "], (form.m, 2))
    return {
        name: [f"{a}{cell}{b}" for cell, (a, b) in zip(cells, pad, strict=True)]
        if name in ("text", "y")
        else cells
        for name, cells in columns.items()
    }


def content_of(columns: dict[str, list[str]], form: Form) -> str:
    """Return the text of the file."""
    random, names = form.random, list(columns)
    random.shuffle(names)
    quoting = csv.QUOTE_ALL if form.odd("quotes") else csv.QUOTE_MINIMAL
    end = str(random.choice(["\n", "\r\n"]))

    def line(cells: list[str]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=form.separator, quoting=quoting, lineterminator=end).writerow(
            cells
        )
        return text.getvalue()

    lines = [line(names)]
    for i in range(form.m):
        blank = end if form.odd("blank lines", 0.03) else ""
        lines.append(blank + line([columns[name][i] for name in names]))
    content = "".join(lines)
    if form.odd("no line end", 0.1):
        content = content.removesuffix(end)
    elif form.odd("blank lines at the end", 0.1):
        content += end * 3
    return f"sep={form.separator}{end}{content}" if form.odd("sep= line", 0.1) else content


def spelled(value: float, decimal: str) -> str:
    """Return a number as text with this decimal sign."""
    return repr(float(value)).replace(".", decimal)


def label_cells(random: Random, m: int, decimal: str) -> tuple[list[str], str]:
    """Return labels as they are written, and their kind."""
    kinds = ("words", "versions", "zeros", "whole", "long", "quantities", "na", "booleans")
    kind = str(random.choice(kinds))
    sets = {
        "words": ["yes", "no", "maybe"],
        "versions": ["3.1", "3.10", "3.9"],
        "zeros": ["01", "1", "001"],
        "whole": ["0", "1", "2"],
        "long": ["12345678901234567890123", "12345678901234567890124"],
        "na": ["EU", "NA", "AS"],
        "booleans": ["True", "False"],
    }
    if kind == "quantities":
        return [spelled(x, decimal) for x in np.round(random.uniform(0, 9, m), 3)], kind
    words = sets[kind]
    return [words[i] for i in random.integers(0, len(words), m)], kind


def true_labels(labels: list[str], kind: str, decimal: str) -> Any:
    """Return the right labels."""
    if kind == "quantities":
        return np.array([float(label.replace(decimal, ".")) for label in labels])
    return labels


def one_column(random: Random, folder: Path) -> Case:
    """Write a file of one column with blank lines: each is a row."""
    m = int(random.integers(3, 12))
    values = random.integers(0, 100, m).astype(float)
    gone = random.random(m) < 0.3
    gone[-1] = False
    cells = ["" if g else str(int(x)) for x, g in zip(values, gone, strict=True)]
    path = folder / "a.csv"
    path.write_text("\n".join(["x", *cells]) + "\n" * int(random.integers(0, 3)))

    def read() -> dict[str, Any]:
        data = load(path, labelled=False)
        return {"x": data.X["x"].to_numpy(), "line": data.where}

    truth = {"x": np.where(gone, np.nan, values), "line": np.arange(2, m + 2)}
    return Case(read, truth, ["one column"])


def mixed_signs(random: Random, folder: Path) -> Case:
    """Write a number that contradicts another: it must be refused, so no truth is right."""
    pairs = [("12,5", "3.5"), ("1.250,5", "1,250.5"), ("0,5", "1.5"), ("1,250", "1.250")]
    first, second = pairs[random.integers(len(pairs))]
    path = folder / "a.csv"
    path.write_text(f"x;z;y\n{first};1;a\n{second};2;b\n2;{second};b\n")
    truth = {"x": ["there is no right reading"] * 3}
    return Case(lambda: {"x": load(path, target="y").X["x"].to_numpy()}, truth, ["two signs"])


# Arrays


def arrays(random: Random, folder: Path) -> Case:
    """Write arrays of a random type and form."""
    from scipy.io import savemat

    m, n = int(random.integers(4, 9)), int(random.integers(10, 13))
    kind = random.choice(["f4", "f8", "i2", "i8", "u1", "u2"])
    X = (random.uniform(0, 200, (m, n)) + (2.0**30 if kind == "f8" else 0)).astype(kind)
    y = random.integers(0, 3, m)
    suffix = str(random.choice([".npz", ".npy", ".mat"]))
    keys = [
        ("X", "y"),
        ("X_train", "y_train"),
        ("train_set_x", "train_set_y"),
        ("images", "labels"),
    ]
    x_key, y_key = keys[random.integers(len(keys))]
    form = str(random.choice(["plain", "row", "column", "course"]))
    shapes = {"plain": y, "row": y[None], "column": y[:, None], "course": y[None]}
    content = {x_key: X.T if form == "course" else X, y_key: shapes[form]}
    dev = random.random() < 0.4
    if dev:
        content |= {"Xval": X[:2].T if form == "course" else X[:2], "yval": shapes[form][..., :2]}
        if form == "column":
            content["yval"] = y[:2, None]
    if suffix == ".npz":
        np.savez(folder / "a.npz", **content)
        path = folder / "a.npz"
    elif suffix == ".mat":
        savemat(folder / "a.mat", content)
        path = folder / "a.mat"
    else:
        for key, values in content.items():
            np.save(folder / f"{key}.npy", values)
        path = folder / f"{x_key}.npy"
    truth = {"X": X.astype(float), "y": y, "dev": X[:2].astype(float) if dev else np.zeros((0, n))}

    def read() -> dict[str, Any]:
        data = load(path)
        found = data.parts["dev"].X if "dev" in data.parts else np.zeros((0, n))
        return {"X": np.asarray(data.X, float), "y": data.y, "dev": np.asarray(found, float)}

    return Case(read, truth, [suffix, form, str(kind)])


# Folders of new images


def folders(random: Random, folder: Path) -> Case:
    """Write a folder of new images, some of them deep, beside other files."""
    from PIL import Image

    truth: list[str] = []
    root = folder / "new"
    for i in range(int(random.integers(2, 7))):
        inside = ["", "a", "a/b", "c"][random.integers(4)]
        suffix = [".png", ".PNG", ".jpg", ".bmp", "", ".heic", ".txt"][random.integers(7)]
        path = root / inside / f"{i}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix in (".heic", ".txt"):
            path.write_bytes(b"no image")
        else:
            form = {".jpg": "JPEG", ".bmp": "BMP"}.get(suffix.lower(), "PNG")
            Image.new("RGB", (4, 4), (i, 0, 0)).save(path, format=form)
        truth.append(path.relative_to(root).as_posix())

    def read() -> dict[str, Any]:
        return {"files": sorted(load(root, labelled=False).where.tolist())}

    return Case(read, {"files": sorted(truth)}, ["folder"])


# Pictures and masks


def png(path: Path, pixels: np.ndarray, mode: str | None = None, **options: Any) -> None:
    """Write an image file."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path, **options)


def pictures(random: Random, folder: Path) -> Case:
    """Write images of one mode and depth in two classes; the truth is in levels from 0 to 255."""
    from PIL import Image

    kind = str(random.choice(["L", "RGB", "RGBA", "LA", "P", "1", "16 bits", "turned", "frames"]))
    colour = kind in ("RGB", "RGBA", "P")
    shape = (4, 5, 5, 3) if colour else (4, 5, 5)
    X = random.integers(0, 256, shape, dtype=np.uint8)
    if kind == "1":
        X = np.where(X > 127, 255, 0).astype(np.uint8)
    truth = X.astype(float)
    for i, image in enumerate(X):
        path = folder / "pets" / "ab"[i // 2] / f"{i}.png"
        if kind == "16 bits":
            deep = image.astype(np.uint16) * 257
            deep[0, 0] = 65535
            truth[i, 0, 0] = 255
            png(path, deep)
        elif kind == "turned":
            exif = Image.Exif()
            exif[0x0112] = 3  # upside down
            png(path, image[::-1, ::-1], exif=exif)
        elif kind == "frames":
            path = path.with_suffix(".gif")
            path.parent.mkdir(parents=True, exist_ok=True)
            frames = [Image.fromarray(image), Image.fromarray(255 - image)]
            frames[0].save(path, save_all=True, append_images=frames[1:])
        elif kind == "P":
            few = image // 128 * 128
            truth[i] = few
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(few).quantize(64).save(path)
        else:
            png(path, image, kind if kind not in ("L", "RGB") else None)

    def read() -> dict[str, Any]:
        data = load(folder / "pets")
        return {"X": np.asarray(data.X[:], float), "y": data.y}

    return Case(read, {"X": truth, "y": ["a", "a", "b", "b"]}, [kind])


def masks(random: Random, folder: Path) -> Case:
    """Write images with masks in an odd form; a form that cannot be certain must be refused."""
    from PIL import Image

    from chainrule.vision.segmentation.masks import read_masks

    kinds = ["plain", "suffix", "case", "palette", "palettes", "0 and 255", "jpeg", "ambiguous"]
    kind = str(random.choice(kinds))
    Y = random.integers(0, 2 if kind == "0 and 255" else 3, (4, 6, 6), dtype=np.uint8)
    Y[:, 0, :3] = [0, 1, 1 if kind == "0 and 255" else 2]
    truth: dict[str, Any] = {"Y": Y.astype(float)}
    names = str(random.choice(["masks", "annotations"]))
    for i, mask in enumerate(Y):
        png(
            folder / "images" / f"{i}.{'PNG' if kind == 'case' else 'png'}",
            np.full((6, 6, 3), i, np.uint8),
        )
        path = folder / names / f"{i}{'_mask' if kind == 'suffix' else ''}.png"
        if kind in ("palette", "palettes"):
            palette = [0, 0, 0, 255, 0, 0, 0, 255, 0]
            if kind == "palettes" and i == 3:
                palette = [0, 0, 0, 0, 255, 0, 255, 0, 0]
                truth["Y"][i] = np.choose(mask, [0, 2, 1])
            image = Image.fromarray(mask, "P")
            image.putpalette(palette)
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
        elif kind == "jpeg":
            png(path.with_suffix(".jpg"), mask * 100)
        else:
            png(path, mask * 255 if kind == "0 and 255" else mask)
    if kind == "ambiguous":
        png(folder / names / "0.bmp", 2 - Y[0])
    binary = kind == "0 and 255"

    def read() -> dict[str, Any]:
        data = read_masks(folder, binary=binary)["train"]
        return {"Y": data.Y.astype(float)}

    return Case(read, truth, [kind])


# Images with boxes

WIDTH, HEIGHT, KINDS = 40, 20, ("cat", "dog")
Objects = list[tuple[int, tuple[int, int, int, int]]]
"""The class and the corners in pixels of each object of an image."""


def objects_of(random: Random) -> Objects:
    """Draw the objects of an image."""
    found: Objects = []
    for _ in range(int(random.integers(1, 4))):
        x, y = int(random.integers(0, WIDTH - 6)), int(random.integers(0, HEIGHT - 6))
        w, h = int(random.integers(2, WIDTH - x)), int(random.integers(2, HEIGHT - y))
        found.append((int(random.integers(2)), (x, y, x + w, y + h)))
    return found


def lines_of(stem: str, objects: Objects) -> list[str]:
    """Return a line of text for each object, in shares of the image."""
    sides = (WIDTH, HEIGHT, WIDTH, HEIGHT)
    return [
        " ".join([stem, KINDS[kind], *(f"{c / n:.3f}" for c, n in zip(box, sides, strict=True))])
        for kind, box in objects
    ]


IMPOSSIBLE = ["there is no right reading"]


def boxes(random: Random, folder: Path) -> Case:
    """Write images with boxes in one of three formats, with one defect."""
    from chainrule.vision.detection.dataset import read_annotations

    write, defects = FORMATS[int(random.integers(len(FORMATS)))]
    defect = str(random.choice(defects))
    scene = {f"{i}": objects_of(random) for i in range(3)}
    upper = defect == "upper case"
    for stem in scene:
        png(
            folder / "images" / f"{stem}.{'PNG' if upper else 'png'}",
            np.zeros((HEIGHT, WIDTH), np.uint8),
        )
    source = write(folder, scene, defect)
    truth = sorted(line for stem, objects in scene.items() for line in lines_of(stem, objects))
    truth = IMPOSSIBLE if defect.startswith("twice") else truth

    def read() -> dict[str, Any]:
        found = read_annotations(source)
        lines = []
        for path, corners, kinds in zip(found.paths, found.boxes, found.classes, strict=True):
            for kind, box in zip(kinds, corners, strict=True):
                shares = " ".join(f"{share:.3f}" for share in box)
                lines.append(f"{path.stem} {found.names[kind]} {shares}")
        return {"boxes": sorted(lines)}

    return Case(read, {"boxes": truth}, [write.__name__, defect])


COCO = ("plain", "text ids", "no size", "float size", "backslash", "URL", "crowd", "over the edge")
COCO += ("no area", "twice: image id", "twice: picture")


def coco(folder: Path, scene: dict[str, Objects], defect: str) -> Path:
    """Write a COCO file."""
    spelled_ids = (lambda i: f"id-{i}") if defect == "text ids" else int
    form = {"backslash": "images\\{}.png", "URL": "images%2F{}.png"}.get(defect, "images/{}.png")
    size = {"no size": {}, "float size": {"width": float(WIDTH), "height": float(HEIGHT)}}
    sizes = size.get(defect, {"width": WIDTH, "height": HEIGHT})
    images = [{"id": spelled_ids(s), "file_name": form.format(s), **sizes} for s in scene]
    annotations = [
        {"image_id": spelled_ids(stem), "category_id": 7 + kind, "bbox": [x, y, X - x, Y - y]}
        for stem, objects in scene.items()
        for kind, (x, y, X, Y) in objects
    ]
    if defect == "over the edge":
        annotations[0]["bbox"] = [-1, 0, 5, 5]
        scene["0"][0] = (scene["0"][0][0], (0, 0, 4, 5))
    if defect in ("crowd", "no area"):
        extra = {"image_id": spelled_ids("0"), "category_id": 7, "bbox": [1, 1, 5, 5], "iscrowd": 1}
        annotations.append(
            extra if defect == "crowd" else extra | {"bbox": [1, 1, 0, 5], "iscrowd": 0}
        )
    if defect == "twice: image id":
        images[1]["id"] = images[0]["id"]
    if defect == "twice: picture":
        images[1]["file_name"] = images[0]["file_name"]
    categories = [{"id": 7 + i, "name": name} for i, name in enumerate(KINDS)]
    lists = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "a.json").write_text(json.dumps(lists))
    return folder / "a.json"


VOC = ("plain", "upper case", "no suffix", "difficult", "over the edge", "twice: picture")


def voc(folder: Path, scene: dict[str, Objects], defect: str) -> Path:
    """Write Pascal VOC files."""
    place = folder / "annotations"
    place.mkdir()
    if defect == "over the edge":
        scene["0"][0] = (scene["0"][0][0], (0, 0, 5, 5))
    for stem, objects in scene.items():
        name = "0" if defect == "twice: picture" else stem
        name += "" if defect == "no suffix" else ".png"
        shown = [*objects, (0, (1, 1, 5, 5))] if defect == "difficult" and stem == "0" else objects
        found = []
        for i, (kind, (x, y, X, Y)) in enumerate(shown):
            hard = int(i == len(objects))
            left = -1 if defect == "over the edge" and (stem, i) == ("0", 0) else x
            found.append(
                f"<object><name>{KINDS[kind]}</name><difficult>{hard}</difficult><bndbox>"
                f"<xmin>{left}</xmin><ymin>{y}</ymin><xmax>{X}</xmax><ymax>{Y}</ymax></bndbox></object>"
            )
        (place / f"{stem}.xml").write_text(
            f"<annotation><filename>{name}</filename><size><width>{WIDTH}</width>"
            f"<height>{HEIGHT}</height></size>{''.join(found)}</annotation>"
        )
    for image in (folder / "images").iterdir():
        shutil.copy(image, place)
    return place


YOLO = ("plain", "upper case", "blank line", "BOM", "sixth column", "polygon", "data.yaml")


def yolo(folder: Path, scene: dict[str, Objects], defect: str) -> Path:
    """Write YOLO files."""
    place = folder / "labels"
    place.mkdir()
    step = 2 if defect == "blank line" else 1
    for stem, objects in scene.items():
        lines = []
        for kind, (x, y, X, Y) in objects:
            x1, y1, x2, y2 = x / WIDTH, y / HEIGHT, X / WIDTH, Y / HEIGHT
            numbers = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
            if defect == "polygon":
                numbers = [x1, y1, x2, y1, x2, y2, x1, y2]
            if defect == "sixth column":
                numbers.append(0.9)
            lines.append(" ".join([str(kind * step), *(f"{n:.6f}" for n in numbers)]))
        (place / f"{stem}.txt").write_text("\n".join(lines) + "\n")
    names = ("\n\n" if defect == "blank line" else "\n").join(KINDS)
    if defect == "data.yaml":
        (folder / "data.yaml").write_text(
            f"names: [{', '.join(KINDS)}]\ntrain: images\nval: images\n"
        )
        return folder / "data.yaml"
    (place / "classes.txt").write_text(names, encoding="utf-8-sig" if defect == "BOM" else "utf-8")
    return place


FORMATS = ((coco, COCO), (voc, VOC), (yolo, YOLO))

CASES: dict[str, Callable[[Random, Path], Case]] = {
    "table": table,
    "one_column": one_column,
    "mixed_signs": mixed_signs,
    "arrays": arrays,
    "folders": folders,
    "pictures": pictures,
    "masks": masks,
    "boxes": boxes,
}
SHARES = {"table": 6}
"""How many times as many cases as of the other kinds."""


def run_case(number: int, seed: int, kinds: list[str], folder: Path) -> tuple[str, str, Case, str]:
    """Write and read one case; return its kind, how it was read, the case and the details."""
    random = np.random.default_rng([seed, number])
    weights = np.array([SHARES.get(kind, 1) for kind in kinds], float)
    kind = str(random.choice(kinds, p=weights / weights.sum()))
    case = CASES[kind](random, folder)
    how, details = judge(case)
    return kind, how, case, details


def run(count: int, seed: int = 0, only: list[str] | None = None) -> tuple[Counter, list[str]]:
    """Run the cases; return how often each kind was read how, and the failures."""
    counts: Counter = Counter()
    failures = []
    for number in range(count):
        folder = Path(tempfile.mkdtemp(prefix="files"))
        try:
            kind, how, case, details = run_case(number, seed, only or list(CASES), folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        counts[kind, how] += 1
        if how in ("wrong", "traceback"):
            failures.append(f"case {number} ({kind}: {', '.join(case.defects)}): {how}: {details}")
    return counts, failures


def main() -> None:
    """Print a table of how the files were read, and the failures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int, nargs="?", default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--case", type=int)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    only = given.only.split(",") if given.only else None
    if given.case is not None:
        folder = Path(tempfile.mkdtemp(prefix="files"))
        kind, how, case, details = run_case(given.case, given.seed, only or list(CASES), folder)
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            print(f"== {file}\n{file.read_bytes()[:2000]!r}")
        print(kind, how, case.defects, details, sep="\n")
        return
    counts, failures = run(given.count, given.seed, only)
    if given.json:
        print(json.dumps({"/".join(key): n for key, n in sorted(counts.items())}))
    else:
        outcomes = ("right", "refused", "reported", "wrong", "traceback")
        print(f"{'':12}" + "".join(f"{how:>11}" for how in outcomes))
        for kind in sorted({kind for kind, _ in counts}):
            print(f"{kind:12}" + "".join(f"{counts[kind, how]:>11,}" for how in outcomes))
    for failure in failures[:20]:
        print(failure)
    if len(failures) > 20:
        print(f"… and {len(failures) - 20} more")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
