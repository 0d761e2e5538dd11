"""Embeddings of strangers: `python -m benchmarks.verification [omniglot|orl_faces]`.

    omniglot     trained on the characters of the two background sets; the twenty one-shot tasks of
                 20 characters are of other alphabets, and nothing is trained or chosen on them.
                 Each drawing counts as another character where it is turned by 90, 180 or 270
                 degrees. Matching by the modified Hausdorff distance gets 0.6125.
    orl_faces    four folds: ten of the forty people are met only at the end, four others choose the
                 epoch and the threshold; a face and its mirror image are the same

The files are read from the folder CHAINRULE_DATA, or ../shared/data.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.randomness import key_from_seed
from chainrule.models.zoo import build
from chainrule.train.loader import ByIdentity
from chainrule.train.outputs import network_outputs
from chainrule.vision.verification.scores import one_shot_accuracy
from chainrule.vision.verification.training import (
    IdentitySplit,
    measure,
    split_identities,
    train_embedding,
)

DRAWINGS = "rotation=15,zoom=0.2,shear=10,crop=2,padding=zeros"
FACES = "crop=3,rotation=8,zoom=0.1,contrast=0.3,brightness=0.1,padding=edge"
FOLDS, DEV_PEOPLE = 4, 4


def folder() -> Path:
    """Where the data sets are."""
    return Path(os.environ.get("CHAINRULE_DATA", "../shared/data"))


def smaller(images: np.ndarray, by: int) -> np.ndarray:
    """Images (…, n_H, n_W) with each `by` by `by` pixels averaged."""
    *some, n_H, n_W = images.shape
    images = images[..., : n_H // by * by, : n_W // by * by]
    return images.reshape(*some, n_H // by, by, n_W // by, by).mean(axis=(-3, -1), dtype=np.float32)


def drawings(packed: np.ndarray, by: int) -> np.ndarray:
    """Bits as images (…, n_H, n_W, 1) between 0 and 1."""
    return smaller(np.unpackbits(packed, axis=-1, count=105), by)[..., None]


def background(by: int) -> tuple[np.ndarray, np.ndarray]:
    """The drawings of both background sets, and their characters; two alphabets are in both."""
    files = [np.load(folder() / "omniglot" / f"background_small{n}.npz") for n in (1, 2)]
    names = np.concatenate([z["character_names"][z["character"]] for z in files])
    packed = np.concatenate([z["packed"] for z in files])
    _, once = np.unique(packed.reshape(len(packed), -1), axis=0, return_index=True)
    once.sort()
    characters = np.unique(names, return_inverse=True)[1]
    return drawings(packed[once], by), characters[once]


def turned(X: np.ndarray, identities: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Four times the n characters: as they are, and turned by one, two and three right angles."""
    images = [np.rot90(X, k, axes=(1, 2)) for k in range(4)]
    return np.concatenate(images), np.concatenate([identities + k * n for k in range(4)])


def tasks(network, by: int) -> np.ndarray:
    """The accuracy on each of the twenty one-shot tasks."""
    z = np.load(folder() / "omniglot" / "one_shot_20way.npz")
    known, asked = drawings(z["train_packed"], by), drawings(z["test_packed"], by)
    return np.array(
        [
            one_shot_accuracy(network_outputs(network, k), network_outputs(network, a), answer)
            for k, a, answer in zip(known, asked, z["answer"], strict=True)
        ]
    )


def omniglot(asked) -> float:
    """Trains once; the mean accuracy of the one-shot tasks."""
    X, characters = background(asked.by)
    parts = split_identities(characters, dev=0.1, test=0, seed=asked.seed)
    dev = parts.dev
    if asked.turned:
        rows = parts.train
        X_more, more = turned(X[rows], characters[rows], characters.max() + 1)
        X, n = np.concatenate([X[dev], X_more]), len(dev)
        characters = np.concatenate([characters[dev], more])
        parts = IdentitySplit(np.arange(n, len(X)), np.arange(n), np.array([], int))
    network = build(
        asked.network,
        X.shape[1:],
        asked.n,
        key=key_from_seed(asked.seed),
        options={"augment": asked.augment or DRAWINGS, "width": asked.width},
    )
    trained = train(network, X, characters, parts, asked)
    say(trained, measure(trained.network, X, characters, parts))
    accuracies = tasks(trained.network, asked.by)
    print(f"20-way one-shot accuracy {accuracies.mean():.4f}, of a task", np.round(accuracies, 2))
    return float(accuracies.mean())


def faces(asked) -> float:
    """Trains four times; the mean equal error rate of ten people that training has not met."""
    z = np.load(folder() / "orl_faces" / "orl_faces.npz")
    X, people = smaller(z["X"], 2)[..., None] / 255, z["subject"]
    order = np.random.default_rng(asked.seed).permutation(40)
    rates = []
    for fold, test in enumerate(np.split(order, FOLDS)):
        others = np.setdiff1d(order, test)
        dev = np.random.default_rng((asked.seed, fold)).permutation(others)[:DEV_PEOPLE]
        train_people = np.setdiff1d(others, dev)
        some = (np.flatnonzero(np.isin(people, who)) for who in (train_people, dev, test))
        parts = IdentitySplit(*some)
        network = build(
            asked.network,
            X.shape[1:],
            asked.n,
            key=key_from_seed(asked.seed + fold),
            options={"augment": asked.augment or FACES, "width": asked.width, "mirrored": True},
        )
        trained = train(network, X, people, parts, asked)
        measured = measure(trained.network, X, people, parts)
        say(trained, measured)
        rates.append(measured["test"].equal_error_rate)
    print(f"equal error rate {np.mean(rates):.4f}, of a fold", np.round(rates, 4))
    return float(np.mean(rates))


def train(network, X, identities, parts, asked):
    """As the options say."""
    began = time.perf_counter()

    def on_progress(history, share):
        if history.epochs and asked.verbose and len(history.epochs) % 5 == 0:
            e = history.epochs[-1]
            if e.epoch not in said:
                said.add(e.epoch)
                seconds = time.perf_counter() - began
                print(
                    f"  {e.epoch} J {e.cost:.4f} dev {e.dev_cost:.4f} nearest {e.metric:.4f} "
                    f"{seconds:.0f} s",
                    flush=True,
                )

    said: set[int] = set()
    return train_embedding(
        network,
        X,
        identities,
        parts,
        epochs=asked.epochs,
        margin=asked.margin,
        order=ByIdentity(asked.people, asked.photos),
        learning_rate=asked.rate,
        seed=asked.seed,
        on_progress=on_progress,
    )


def say(trained, measured) -> None:
    """One line for each part."""
    for name, part in measured.items():
        print(
            f"{name}: EER {part.equal_error_rate:.4f}, AUC {part.auc:.4f}, accuracy "
            f"{part.accuracy:.4f} at D ≤ {part.threshold:.3f}; "
            f"epoch {trained.history.best_epoch}",
            flush=True,
        )


ALWAYS = {"photos": 4, "n": 64, "width": 0.5, "seed": 0}
USUAL = {
    "omniglot": {"epochs": 15, "people": 20, "by": 3, "margin": 0.2, **ALWAYS},
    "orl_faces": {"epochs": 120, "people": 16, "by": 2, "margin": 0.5, **ALWAYS},
}


def main() -> None:
    """What is asked for, printed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", nargs="*", default=list(USUAL))
    asked.add_argument("--network", default="embedding")
    asked.add_argument("--augment", default="")
    asked.add_argument("--turned", action=argparse.BooleanOptionalAction, default=True)
    asked.add_argument("--verbose", action="store_true")
    for name, usual in (("width", None), ("margin", None), ("rate", 0.002)):
        asked.add_argument(f"--{name}", type=float, default=usual)
    for name in ("epochs", "people", "photos", "n", "by", "seed"):
        asked.add_argument(f"--{name}", type=int)
    enable_compilation_cache()
    for data in (said := asked.parse_args()).data:
        values = USUAL[data] | {k: v for k, v in vars(said).items() if v is not None}
        options = argparse.Namespace(**values)
        began = time.perf_counter()
        (omniglot if data == "omniglot" else faces)(options)
        print(f"{data}: {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
