"""Make the fixtures in `old_runs/`: small runs of every kind, whole and interrupted.

    data/                training data: tables, arrays, folders of small images
    table, regression    networks trained on tables; `table` keeps its plots and its report
    ladder               a network that the ladder chose
    images, transfer     a convnet, and a transfer from it to other classes
    detect, segment      a detector and a U-Net
    verify, pairs        embeddings that are compared by distance, and by a learned similarity
    *.gallery            people enrolled with each of the two
    search/              a search, with the run of its best candidate
    cut-*.partial        trainings killed after their second checkpoint
    cut-search/          a search killed after its second candidate
    expected.json        the predictions of the runs, and the costs of each cut training had it
                         not been interrupted

The fixtures are made once, by the version whose files later versions have to read, and committed:

    python -m tests.validation.make_old_runs FOLDER

Every path in them is relative to their folder, so commands that use them run in a copy of it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
PLOTS = (".png", ".html")

TABLE = (
    *("train", "data/table.csv", "--target", "plan", "--group", "household"),
    *("--weight", "weight", "--hidden", "6,4", "--batch-size", "16", "--batch-norm"),
    *("--keep-prob", "0.9", "--l2", "0.1", "--seed", "1"),
)
LADDER = ("train", "data/table.csv", "--target", "plan", "--seed", "3")
HOUSES = ("data/houses.csv", "--target", "price", "--time", "year", "--hidden", "5")
DETECT = (
    *("detect", "train", "data/cells.json", "--backbone", "small", "--width", "0.0625"),
    *("--anchors", "1", "--iou-threshold", "0.4", "--batch-size", "4", "--augment", "mirror"),
    *("--seed", "5"),
)
SEGMENT = (
    *("segment", "train", "data/street", "--depth", "1", "--width", "0.0625"),
    *("--keep-prob", "0.9", "--class-weight", "balanced", "--batch-size", "4"),
    *("--augment", "mirror", "--seed", "6"),
)
VERIFY = (
    *("verify", "train", "data/faces.npz", "--width", "0.25", "--embedding-size", "8"),
    *("--people-per-batch", "4", "--photos-per-person", "2", "--augment", "none", "--seed", "7"),
)
SEARCH = (
    *("tune", *HOUSES, "--epochs", "3", "--sampler", "tpe", "--no-vectorize", "--seed", "4"),
    *("--search", "learning_rate=log(1e-3, 1e-1)", "--search", "l2=log(1e-2, 1)"),
)
RUNS = {
    "table": (*TABLE, "--epochs", "6"),
    "regression": (
        *("train", *HOUSES, "--optimizer", "rmsprop", "--decay", "exponential"),
        *("--decay-rate", "0.95", "--clip-norm", "1", "--l1", "0.01", "--epochs", "6"),
    ),
    "ladder": (*LADDER, "--epochs", "4"),
    "images": (
        *("train", "data/bars.npz", "--network", "convnet", "--width", "0.25"),
        *("--batch-size", "16", "--augment", "mirror,crop=1", "--epochs", "3", "--seed", "2"),
    ),
    "transfer": (
        *("train", "data/blobs.npz", "--from", "images", "--retrain", "last"),
        *("--batch-size", "16", "--epochs", "3"),
    ),
    "detect": (*DETECT, "--epochs", "2"),
    "segment": (*SEGMENT, "--epochs", "2"),
    "verify": (*VERIFY, "--epochs", "2"),
    "pairs": (*VERIFY, "--similarity", "logistic", "--epochs", "2"),
    "search": (*SEARCH, "--trials", "3"),
}
CUT = {
    "cut-table": (*TABLE, "--epochs", "9"),
    "cut-ladder": (*LADDER, "--batch-size", "16", "--epochs", "9"),
    "cut-detect": (*DETECT, "--epochs", "9"),
    "cut-segment": (*SEGMENT, "--epochs", "9"),
    "cut-verify": (*VERIFY, "--epochs", "9"),
    "cut-search": (*SEARCH, "--trials", "4"),
}

KILLED_TRAINING = """
import os, signal

replace, checkpoints = os.replace, []

def killing_replace(source, target, **how):
    replace(source, target, **how)
    if str(target).endswith(".checkpoint"):
        checkpoints.append(target)
    if len(checkpoints) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = killing_replace
"""
"""Python that kills its own process after the second checkpoint."""

KILLED_SEARCH = """
import os, signal
from pathlib import Path

fsync = os.fsync

def killing_fsync(file):
    fsync(file)
    for journal in Path().glob("*/journal.log"):
        lines = journal.read_text().splitlines()
        if sum('"op_code":6,' in line for line in lines) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

os.fsync = killing_fsync
"""
"""Python that kills its own process after the second candidate of a search."""


def main(folder: Path) -> None:
    """Make everything in `folder`, which must not exist yet."""
    folder.mkdir(parents=True)
    make_data(folder / "data")
    for name, words in RUNS.items():
        chainrule(folder, *words, "--out", name)
    for name in ("verify", "pairs"):
        chainrule(folder, "verify", "enrol", name, f"{name}.gallery", "--people", "data/people")
    for name, words in CUT.items():
        cut(folder, name, words)
    for recipe in folder.rglob("recipe.json"):
        if recipe.parent.name != "table" and (recipe.parent / "manifest.json").exists():
            remove_plots(recipe.parent)
    for plot in folder.glob("search/*.png"):
        plot.unlink()
    expected = {"costs": unbroken_costs(folder), "predictions": predictions(folder)}
    (folder / "expected.json").write_text(json.dumps(expected, indent=0) + "\n")


def cut(folder: Path, name: str, words: tuple[str, ...]) -> None:
    """Run a command that is killed on its way, alone in a folder, and move what it leaves."""
    with tempfile.TemporaryDirectory() as temporary:
        shutil.copytree(folder / "data", Path(temporary, "data"))
        if words[0] == "tune":
            chainrule(Path(temporary), *words, "--out", name, killing=KILLED_SEARCH)
        else:
            every = ("--checkpoint-every", "0")
            chainrule(Path(temporary), *words, *every, "--out", name, killing=KILLED_TRAINING)
        for left in Path(temporary).glob(f"{name}*"):
            shutil.move(left, folder)


def chainrule(folder: Path, *words: str, killing: str = "") -> None:
    """Run the command line in `folder`, and check how it ended; `killing` is Python run before."""
    program = f"{killing}\nfrom chainrule.cli.main import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode != (-signal.SIGKILL if killing else 0):
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")


def remove_plots(run: Path) -> None:
    """Delete the plots and the report of a run, and their lines in its manifest."""
    manifest = json.loads((run / "manifest.json").read_text())
    for name in list(manifest["files"]):
        if name.endswith(PLOTS):
            (run / name).unlink()
            del manifest["files"][name]
    (run / "manifest.json").write_text(json.dumps(manifest, indent=1))


def unbroken_costs(folder: Path) -> dict[str, list[float]]:
    """The cost of each epoch of the cut trainings, from trainings that are not interrupted."""
    costs = {}
    with tempfile.TemporaryDirectory() as temporary:
        shutil.copytree(folder / "data", Path(temporary, "data"))
        for name, words in CUT.items():
            chainrule(Path(temporary), *words, "--out", name)
            run = Path(temporary, name, "best" if name == "cut-search" else "")
            lines = map(json.loads, (run / "history.jsonl").read_text().splitlines())
            costs[name] = [line["cost"] for line in lines if "cost" in line]
    return costs


def predictions(folder: Path) -> dict[str, dict[str, list]]:
    """The predictions of the runs, rounded to seven digits."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "predictions.npz")
        command = [sys.executable, "-m", "tests.validation.old_predictions", folder, file]
        subprocess.run(command, cwd=ROOT, check=True)
        found: dict[str, dict[str, list]] = {}
        for key, values in np.load(file).items():
            run, quantity = key.split(":")
            found.setdefault(run, {})[quantity] = rounded(values.tolist())
    return found


def rounded(values: list | float) -> list | float:
    """Numbers in nested lists, rounded to seven significant digits."""
    if isinstance(values, list):
        return [rounded(value) for value in values]
    return float(f"{values:.7g}")


# The data


def make_data(folder: Path) -> None:
    """Write all training data, from fixed seeds."""
    folder.mkdir()
    write_table(folder / "table.csv")
    write_houses(folder / "houses.csv")
    bars, directions = bar_images(72)
    np.savez_compressed(folder / "bars.npz", X=bars, y=directions)
    blobs, sizes = blob_images(48)
    np.savez_compressed(folder / "blobs.npz", X=blobs, y=sizes)
    write_cells(folder, 12)
    write_street(folder / "street", 12)
    faces, names = face_images(14, 4)
    np.savez_compressed(folder / "faces.npz", X=faces, identities=names)
    strangers, names = face_images(3, 3, first=50)
    for i, (image, name) in enumerate(zip(strangers, names, strict=True)):
        place = folder / ("visitors" if i % 3 == 2 else f"people/{name}")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{name}-{i % 3}.png")


def write_table(path: Path) -> None:
    """A table with categories, a true/false column, missing values, groups and weights."""
    rng = np.random.default_rng(1)
    lines = ["age,income,city,member,household,weight,plan"]
    for i in range(120):
        age, income = rng.integers(18, 80), round(float(rng.normal(40, 12)), 1)
        city = rng.choice(["Bern", "Lyon", "Oslo", ""], p=[0.4, 0.3, 0.2, 0.1])
        member = rng.choice(["true", "false"])
        level = age / 30 + income / 40 + (city == "Oslo") + rng.normal(0, 0.3)
        plan = ["basic", "family", "premium"][int(np.clip(level - 1.6, 0, 2.9))]
        shown = ["" if rng.random() < 0.08 else f"{value}" for value in (age, income)]
        lines.append(f"{','.join(shown)},{city},{member},h{i // 2},{1 + i % 3},{plan}")
    path.write_text("\n".join(lines) + "\n")


def write_houses(path: Path) -> None:
    """A table with a number to predict, and a column of years."""
    rng = np.random.default_rng(2)
    lines = ["size,rooms,district,year,price"]
    for i in range(90):
        size, rooms = rng.integers(30, 200), rng.integers(1, 8)
        district = rng.choice(["north", "south", "west"])
        price = 2.5 * size + 12 * rooms + 80 * (district == "west") + rng.normal(0, 20)
        lines.append(f"{size},{rooms},{district},{1990 + i // 3},{price:.1f}")
    path.write_text("\n".join(lines) + "\n")


def bar_images(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (m, 8, 8, 1) of a bar, and its direction."""
    rng = np.random.default_rng(3)
    X = rng.integers(0, 40, (m, 8, 8, 1), dtype=np.uint8)
    for i, image in enumerate(X):
        at = rng.integers(1, 7)
        image[(slice(None), at) if i % 2 else at] += 180
    return X, np.where(np.arange(m) % 2, "vertical", "horizontal")


def blob_images(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (m, 8, 8, 1) of a square, and its size."""
    rng = np.random.default_rng(4)
    X = rng.integers(0, 40, (m, 8, 8, 1), dtype=np.uint8)
    for i, image in enumerate(X):
        top, left = rng.integers(0, 4, 2)
        image[top : top + 2 + i % 3, left : left + 2 + i % 3] += 180
    return X, np.array(["small", "medium", "large"])[np.arange(m) % 3]


def write_cells(folder: Path, m: int) -> None:
    """Images with a red or a green square or two in each, and their boxes in one COCO file."""
    rng = np.random.default_rng(5)
    (folder / "cells").mkdir()
    images, annotations = [], []
    for i in range(m):
        pixels = np.full((32, 48, 3), 8 * (i % 5), np.uint8)
        for k in range(1 + i % 2):
            kind, side = (i + k) % 2, int(rng.integers(9, 14))
            top, left = int(rng.integers(0, 32 - side)), int(rng.integers(0, 24 - side) + 24 * k)
            pixels[top : top + side, left : left + side, kind] += 160
            box = [left, top, side, side]
            annotations.append({"image_id": i, "category_id": kind, "bbox": box})
        Image.fromarray(pixels).save(folder / "cells" / f"{i}.png")
        images.append({"id": i, "file_name": f"cells/{i}.png", "width": 48, "height": 32})
    categories = [{"id": 0, "name": "red"}, {"id": 1, "name": "green"}]
    made = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "cells.json").write_text(json.dumps(made))


def write_street(folder: Path, m: int) -> None:
    """Images of a green and a blue square, their masks in colours, and the list of classes."""
    rng = np.random.default_rng(6)
    colours = np.array([[0, 0, 0], [0, 160, 0], [0, 0, 160]], np.uint8)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for i in range(m):
        pixels = np.full((16, 20, 3), 8 * (i % 5), np.uint8)
        mask = np.zeros((16, 20), np.uint8)
        for kind in (1, 2):
            top, left = rng.integers(0, 10), rng.integers(0, 4) + 10 * (kind - 1)
            pixels[top : top + 6, left : left + 6, kind] += 180
            mask[top : top + 6, left : left + 6] = kind
        Image.fromarray(pixels).save(folder / "images" / f"{i}.png")
        Image.fromarray(colours[mask]).save(folder / "masks" / f"{i}.png")
    (folder / "classes.txt").write_text("ground 0 0 0\ngreen 0 160 0\nblue 0 0 160\n")


def face_images(n: int, each: int, *, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images (n · each, 6, 6) of people, each a mixture of four patterns, and their names."""
    rng = np.random.default_rng(7 + first)
    patterns = np.random.default_rng(0).standard_normal((4, 6, 6))
    mixed = np.tensordot(rng.standard_normal((n, 4)), patterns, axes=1)
    whose = np.repeat(np.arange(n), each)
    X = 128 + 25 * (mixed[whose] + 0.3 * rng.standard_normal((n * each, 6, 6)))
    return np.clip(X, 0, 255).astype(np.uint8), np.array([f"p{first + i:02}" for i in whose])


if __name__ == "__main__":
    os.environ.pop("XLA_FLAGS", None)  # the fixtures are compiled as users have it
    main(Path(sys.argv[1]).absolute())
