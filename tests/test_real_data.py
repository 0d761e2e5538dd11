"""What is promised of real files, from the command line; CHAINRULE_DATA says where they are."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.command import in_a_process

CATS = (
    "--dev none --hidden none --init zeros --optimizer gradient_descent --learning-rate 0.005 "
    "--batch-size all --epochs 2000 --no-early-stopping"
)
FASHION = "--hidden 256,128 --optimizer gradient_descent --batch-size 64 --epochs 20"
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
    names = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
    train, test = (data / "fashion_mnist" / name for name in names)
    said = in_a_process(
        tmp_path, "train", train, "--test", test, *FASHION.split(), "--json", first=PEAK
    )
    assert said.code == 0, said.err
    assert json.loads(said.out)["test"]["accuracy"] >= 0.88
    assert int(said.err.split("peak ")[1]) < 1.5e9
