"""A folder of pictures that is never in memory as a whole: peak memory, and the time of a step.

`python -m benchmarks.folder` makes 20,000 JPEGs of 64 by 64 in a temporary folder and prints

    memory    the most that `chainrule train FOLDER` takes, the whole process, report included
    step      of a network on rows read from disk, beside the same rows in memory: the median of
              several fits each, in turn; the first epoch apart

The limits are 1.5 GB and 1.15.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from benchmarks.timing import PAUSE
from chainrule.blocks.costs import softmax_cost
from chainrule.data.streaming import is_streamed
from chainrule.host.randomness import key_from_seed
from chainrule.layers.layer import Layer
from chainrule.models.deep_network import DeepNetwork
from chainrule.models.zoo import build
from chainrule.optim.adam import adam
from chainrule.runs.prepare import prepare_data
from chainrule.runs.recipe import Recipe
from chainrule.train.examples import Examples
from chainrule.train.fit import fit

COUNT, SIDE = 20_000, 64
CLASSES = ("blue", "green", "grey", "red")
BATCH, OPTIMIZER = 64, adam(0.001)
MOST_BYTES, MOST_RATIO = 1.5e9, 1.15


def make(folder: Path, count: int = COUNT) -> None:
    """JPEGs of four classes: noise with a tint, as coarse as photographs are."""
    rng = np.random.default_rng(0)
    tints = {"blue": (0, 0, 40), "green": (0, 40, 0), "grey": (0, 0, 0), "red": (40, 0, 0)}
    for i in range(count):
        name = CLASSES[i % len(CLASSES)]
        coarse = rng.integers(0, 216, (8, 8, 3), dtype=np.uint8) + np.uint8(tints[name])
        picture = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        (folder / name).mkdir(exist_ok=True)
        picture.save(folder / name / f"{i:06}.jpg")


def peak_memory(folder: Path, out: Path, network: str) -> tuple[float, float]:
    """The bytes that the whole command takes at most, and its seconds."""
    program = "from chainrule.cli.main import main; main()"
    command = [sys.executable, "-c", program, "train", str(folder), "--network", network]
    began = time.perf_counter()
    options = ["--epochs", "1", "--out", str(out), "--json"]
    subprocess.run([*command, *options], check=True, env=os.environ | {"CHAINRULE_CACHE": "off"})
    seconds = time.perf_counter() - began
    return 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, seconds


def ratio(train: Examples, network: Layer, steps: int, rounds: int) -> tuple[float, float]:
    """Seconds of a step on rows from disk, and how much longer that is than from memory.

    Of fits of three epochs, taken in turn, the last two count: by then all is compiled, and the
    rows that are in memory are on the device.
    """
    some = Examples(train.X[: steps * BATCH], train.Y[: steps * BATCH])
    assert is_streamed(some.X)
    rows = {"disk": some, "memory": Examples(np.asarray(some.X), some.Y)}
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, examples in rows.items():
            time.sleep(PAUSE)
            done = fit(network, OPTIMIZER, softmax_cost, examples, epochs=3, batch_size=BATCH)
            first, _, last = (epoch.seconds for epoch in done.history.epochs)
            times[name].append((last - first) / (2 * steps))
    disk, memory = (median(times[name]) for name in ("disk", "memory"))
    return disk, disk / memory


def main() -> None:
    """Make the folder, measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.folder", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help=f"pictures ({COUNT:,})")
    parser.add_argument("--network", default="lenet", help="the one that is trained (lenet)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each (5)")
    parser.add_argument("--steps", type=int, default=100, help="steps of one (100)")
    parser.add_argument("--only", choices=("memory", "step"), help="one of the two")
    options = parser.parse_args()
    held = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        folder.mkdir()
        make(folder, options.count)
        if options.only != "step":
            most, seconds = peak_memory(folder, Path(place) / "run", options.network)
            held.append(most <= MOST_BYTES)
            print(f"memory: {most / 1e9:.2f} GB at most, {seconds:.0f} s, {options.network}")
        if options.only != "memory":
            data = prepare_data(Recipe(str(folder)))
            n_L, key = len(CLASSES), key_from_seed(0)
            shape = (SIDE, SIDE, 3)
            networks = {
                options.network: build(options.network, shape, n_L, key=key, options={}),
                "dense 64": DeepNetwork((SIDE * SIDE * 3, 64, n_L), key=key),
            }
            for name, network in networks.items():
                step, more = ratio(data.parts["train"], network, options.steps, options.rounds)
                held.append(more <= MOST_RATIO or name != options.network)
                print(f"step: {1000 * step:.2f} ms from disk, {more:.2f} of that in memory, {name}")
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
