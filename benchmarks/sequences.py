"""How well sequences are learned, beside the promised figures: `python -m benchmarks.sequences`.

    vowels    Japanese vowels: who of nine people speaks; the test part of the archive
    motions   BasicMotions: what somebody with a watch on the arm does; the test part of the archive
    surnames  the nationality of a surname, beside logistic regression on runs of characters
    cmudict   the pronunciation of English words: 20,000 words to train on, 2,000 others to test
    dates     10,000 dates as people write them, made with Faker and Babel, which must be installed
    shakespeare
              the works of Shakespeare, 1.1 million characters: the first 90 % to train on

`--only cmudict` runs one of them. The files are read from the folder CHAINRULE_DATA, or
../shared/data. The dev set chooses the epoch; the test set is looked at once, after training.
"""

import argparse
import csv
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np

from chainrule import train_model, train_sequence_model

WORDS, HELD = 20_000, 2000
DATES = 10_000
FORMATS = (
    *("short", "medium", "long", *["full"] * 3, "d MMM YYY", "d MMMM YYY", "dd MMM YYY"),
    *("d MMM, YYY", "d MMMM, YYY", "dd, MMM YYY", "d MM YY", "d MMMM YYY", "MMMM d YYY"),
    *("MMMM d, YYY", "dd.MM.YY"),
)
"""The formats of the course's assignment on the translation of dates."""


class Figure(NamedTuple):
    """A result, and the number that it must not exceed, or reach."""

    name: str
    value: float
    most: float | None = None
    least: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the target is reached."""
        above, below = self.most is None or self.value <= self.most, self.least or 0
        return above and self.value >= below

    def __str__(self) -> str:
        target = f"at most {self.most}" if self.most is not None else f"at least {self.least}"
        return f"{self.name} {self.value:.4f} ({target}: {'' if self.reached else 'not '}reached)"


def cmudict(folder: Path, data: Path) -> Iterator[Figure]:
    """From the spelling of a word to its phonemes, without stress."""
    listed: dict[str, dict[str, None]] = {}
    for line in (data / "sequences" / "cmudict.dict").read_text().splitlines():
        word, *phonemes = line.partition("#")[0].split()
        spoken = " ".join(re.sub(r"\d", "", one) for one in phonemes)
        listed.setdefault(re.sub(r"\(\d+\)$", "", word), {})[spoken] = None
    words = sorted(listed)
    order = np.random.default_rng(0).permutation(len(words))
    ends = np.cumsum([WORDS, HELD, HELD])
    sets = dict(zip(("train", "dev", "test"), np.split(order, ends), strict=False))
    files = {}
    for name, rows in sets.items():
        pairs = ((words[i], spoken) for i in rows for spoken in listed[words[i]])
        files[name] = _written(folder / f"{name}.tsv", pairs)
    how = {"dev": files["dev"], "test": files["test"], "target_unit": "words"}
    found = _trained(files["train"], folder / "run", **how)
    yield Figure("phoneme error rate", found["error_rate"], most=0.115)


def dates(folder: Path, data: Path) -> Iterator[Figure]:
    """From a date as people write it to 2009-05-10."""
    from babel.dates import format_date  # pyright: ignore[reportMissingImports]
    from faker import Faker  # pyright: ignore[reportMissingImports]

    fake, rng = Faker(), random.Random(0)
    Faker.seed(0)
    pairs = []
    for _ in range(DATES):
        date = fake.date_object()
        written = format_date(date, format=rng.choice(FORMATS), locale="en_US")
        pairs.append((written.lower().replace(",", ""), date.isoformat()))
    source = _written(folder / "dates.tsv", pairs)
    found = _trained(source, folder / "run", hidden=(64,), epochs=20)
    yield Figure("exact match", found["exact_match"], least=0.98)


def shakespeare(folder: Path, data: Path) -> Iterator[Figure]:
    """The next character of a text, with the defaults; the dev set is a half of the last tenth."""
    began = time.perf_counter()
    source = data / "sequences" / "tinyshakespeare.txt"
    model = train_sequence_model("generate", source, out=folder / "run")
    minutes = (time.perf_counter() - began) / 60
    print(f"  {model.network.title}, the best epoch by dev: {model.history.best_epoch}")
    parts = [model.results[name] for name in ("dev", "test")]
    nats = sum(part["cost"] * part["m"] for part in parts) / sum(part["m"] for part in parts)
    yield Figure("nats a character on the last tenth", nats, most=1.52)
    yield Figure("minutes", minutes, most=15)


SEEDS = range(5)


def vowels(folder: Path, data: Path) -> Iterator[Figure]:
    """A bidirectional GRU, the mean of five seeds."""
    yield from _archive(data, "JapaneseVowels", {"network": "gru", "bidirectional": True})


def motions(folder: Path, data: Path) -> Iterator[Figure]:
    """Five networks of convolutions over time, whose predictions are averaged; five seeds."""
    yield from _archive(data, "BasicMotions", {"network": "conv1d", "members": 5})


def _archive(data: Path, name: str, how: dict[str, Any]) -> Iterator[Figure]:
    """Train on the training part of the archive, and evaluate on its test part."""
    source = str(data / "sequences" / f"{name}_TRAIN.ts")
    found = [train_model(source, seed=seed, **how).results for seed in SEEDS]
    for part in ("dev", "test"):
        print(f"  {part}: " + ", ".join(f"{one[part]['accuracy']:.4f}" for one in found))
    yield Figure(
        "accuracy", float(np.mean([one["test"]["accuracy"] for one in found])), least=0.975
    )


def surnames(folder: Path, data: Path) -> Iterator[Figure]:
    """Unique surnames of 18 nationalities, 80/10/10, the mean of five splits."""
    rows = []
    with ZipFile(data / "sequences" / "names_nationality.zip") as archive:
        for member in archive.namelist():
            lines = archive.read(member).decode().splitlines()
            names = sorted({line.strip() for line in lines if line.strip()})
            rows += [(name, Path(member).stem) for name in names]
    text = {"text": "name", "target": "nationality"}
    gru = {"network": "gru", "hidden": (128,), "bidirectional": True, "keep_prob": 0.6}
    gru |= {"learning_rate": 0.003}
    kinds = {"runs of characters": {"network": "summary", "learning_rate": 0.01}, "GRU": gru}
    means = {}
    for kind, how in kinds.items():
        scores = []
        for seed in SEEDS:
            train, dev, test = _divided(folder, rows, seed)
            run = train_model(train, dev=dev, test=test, **text, **how, seed=seed)
            scores.append(run.results["test"]["accuracy"])
        print(f"  {kind}: " + ", ".join(f"{score:.4f}" for score in scores), flush=True)
        means[kind] = float(np.mean(scores))
    yield Figure("accuracy of the GRU", means["GRU"], least=0.82)
    yield Figure(
        "accuracy of the GRU, beside runs of characters",
        means["GRU"],
        least=means["runs of characters"],
    )


def _divided(folder: Path, rows: list[tuple[str, str]], seed: int) -> list[str]:
    """Write 80 %, 10 % and 10 % of the names to files, and return their paths."""
    order = np.random.default_rng(seed).permutation(len(rows))
    files = []
    for name, some in zip(
        ("train", "dev", "test"),
        np.split(order, [8 * len(order) // 10, 9 * len(order) // 10]),
        strict=True,
    ):
        file = folder / f"{name}.csv"
        with file.open("w", newline="", encoding="utf-8") as opened:
            chosen = [rows[i] for i in some]
            csv.writer(opened).writerows([("name", "nationality"), *chosen])
        files.append(str(file))
    return files


def _written(file: Path, pairs: Iterable[tuple[str, str]]) -> str:
    file.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    return str(file)


def _trained(source: str, out: Path, **how: Any) -> dict[str, Any]:
    """Train a translator, print its scores, and return those on the test set."""
    model = train_sequence_model("translate", source, out=out, **how)
    print(f"  {model.network.title}, the best epoch by dev: {model.history.best_epoch}")
    for name, found in model.results.items():
        print(f"  {name}: " + ", ".join(f"{key} {value:.4g}" for key, value in found.items()))
    return model.results["test"]


BENCHMARKS: dict[str, Callable[[Path, Path], Iterator[Figure]]] = {
    "vowels": vowels,
    "motions": motions,
    "surnames": surnames,
    "cmudict": cmudict,
    "dates": dates,
    "shakespeare": shakespeare,
}


def main() -> None:
    """Run the benchmarks, print their figures, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sequences", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, help="the benchmark to run (all)")
    only = parser.parse_args().only
    data, missed = Path(os.environ.get("CHAINRULE_DATA", "../shared/data")), False
    for name, run in BENCHMARKS.items():
        if only in (None, name):
            print(f"{name}: {run.__doc__}", flush=True)
            began = time.perf_counter()
            with TemporaryDirectory() as folder:
                for figure in run(Path(folder), data):
                    missed |= not figure.reached
                    print(f"  {figure}, {time.perf_counter() - began:.0f} s", flush=True)
    sys.exit(missed)


if __name__ == "__main__":
    main()
