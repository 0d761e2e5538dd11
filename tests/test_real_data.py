"""What is promised of real files, from the command line; CHAINRULE_DATA says where they are."""

import json
import os
from pathlib import Path

import pytest

from chainrule.blocks.costs import softmax_cost
from chainrule.runs.prepare import prepare_data, prepare_network
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import evaluate
from chainrule.train.fit import fit
from tests.cli.command import chainrule, in_a_process

CATS = (
    "--dev none --hidden none --init zeros --optimizer gradient_descent --learning-rate 0.005 "
    "--batch-size all --epochs 2000 --no-early-stopping"
)
FASHION_FILES = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
FASHION = "--hidden 256,128 --optimizer gradient_descent --batch-size 64 --epochs 20"
BATCH_NORM_AND_DROPOUT = (
    "--hidden 512,256 --batch-norm --keep-prob 0.7 --batch-size 128 --epochs 20 "
    "--learning-rate 0.002 --decay exponential --decay-rate 0.8"
)
PEAK = """
import atexit, resource, sys
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
atexit.register(lambda: print("peak", peak() * 1024, file=sys.stderr))
"""


@pytest.fixture
def data():
    """The folder with the course's and Zalando's files; without it there is nothing to show."""
    folder = os.environ.get("CHAINRULE_DATA")
    if not folder:
        pytest.skip("no CHAINRULE_DATA")
    return Path(folder)


@pytest.mark.slow
def test_logistic_regression_on_the_cats_to_four_digits(data, tmp_path):
    train, test = (data / "catvnoncat" / f"{part}_catvnoncat.h5" for part in ("train", "test"))
    said = in_a_process(
        tmp_path, "train", train, "--test", test, *CATS.split(), "--out", "run", "--json"
    )
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert round(found["train"]["accuracy"], 4) == 0.9904
    assert round(found["test"]["accuracy"], 4) == 0.7
    lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    costs = [json.loads(line)["cost"] for line in lines]
    assert (round(costs[0], 4), round(costs[1900], 4)) == (0.6931, 0.1409)


@pytest.mark.slow
def test_fashion_mnist_by_plain_descent_in_less_than_1_5_gigabytes(data, tmp_path):
    train, test = (data / "fashion_mnist" / name for name in FASHION_FILES)
    said = in_a_process(
        tmp_path, "train", train, "--test", test, *FASHION.split(), "--json", first=PEAK
    )
    assert said.code == 0, said.err
    assert json.loads(said.out)["test"]["accuracy"] >= 0.88
    assert int(said.err.split("peak ")[1]) < 1.5e9


@pytest.mark.slow
def test_fashion_mnist_with_batch_norm_and_dropout_in_20_epochs(data, tmp_path):
    train, test = (data / "fashion_mnist" / name for name in FASHION_FILES)
    options = BATCH_NORM_AND_DROPOUT.split()
    said = chainrule(tmp_path, "train", train, "--test", test, *options, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["epochs"] <= 20
    assert found["test"]["accuracy"] >= 0.895


@pytest.fixture
def fashion(data):
    """784-512-256-10, trained for so many epochs, the dev set not looked at: costs, accuracies."""
    files = {"source": FASHION_FILES[0], "test": FASHION_FILES[1]}
    base = {name: str(data / "fashion_mnist" / file) for name, file in files.items()}
    read = prepare_data(Recipe(**base))

    def train(epochs: int, **options):
        prepared = prepare_network(Recipe(**base, hidden=(512, 256), **options), read)
        fitted = fit(
            prepared.network,
            prepared.optimizer,
            softmax_cost,
            prepared.parts["train"],
            epochs=epochs,
            batch_size=prepared.batch_size,
            penalty=prepared.penalty(),
        )
        scores = {
            name: evaluate(fitted.network, prepared.preprocessor, part)["accuracy"]
            for name, part in prepared.parts.items()
        }
        return fitted.history.costs, scores

    return train


@pytest.mark.slow
@pytest.mark.usefixtures("float32_world")
def test_dropout_and_l2_narrow_the_gap_between_train_and_dev(fashion):
    def gap(**options):
        _, scores = fashion(15, batch_size=128, **options)
        return scores["train"] - scores["dev"]

    nothing = gap()
    assert nothing > 0.03
    assert gap(keep_prob=0.7) < 0.8 * nothing
    assert gap(l2=10.0) < 0.8 * nothing


@pytest.mark.slow
@pytest.mark.usefixtures("float32_world")
def test_adam_needs_a_fifth_of_the_epochs_of_plain_descent(fashion):
    plain, _ = fashion(20, batch_size=1024, optimizer="gradient_descent")
    quick, _ = fashion(4, batch_size=1024)
    assert quick[-1] <= plain[-1]
