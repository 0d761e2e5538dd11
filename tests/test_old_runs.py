"""Runs that an earlier version has saved: they load, predict as they did, resume and repeat."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.cli.command import chainrule
from tests.validation.make_old_runs import CUT, RUNS
from tests.validation.old_predictions import DATA, GALLERIES, predictions

OLD_RUNS = Path(__file__).parent / "validation" / "old_runs"
EXPECTED = json.loads((OLD_RUNS / "expected.json").read_text())
CUT_TRAININGS = sorted(CUT.keys() - {"cut-search"})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a copy of the old runs, to work in."""
    folder = tmp_path_factory.mktemp("old") / "runs"
    shutil.copytree(OLD_RUNS, folder)
    return folder


def epochs_of(run: Path) -> list[dict]:
    """Return the lines of a run's history that are epochs, without their times."""
    lines = map(json.loads, (run / "history.jsonl").read_text().splitlines())
    return [line | {"seconds": 0} for line in lines if "cost" in line]


def test_every_kind_of_run_is_there():
    assert {name.split("/")[0] for name in DATA} == set(RUNS)
    assert set(EXPECTED["predictions"]) == {*DATA, *GALLERIES}
    assert set(EXPECTED["costs"]) == set(CUT)


@pytest.fixture
def xla_alone(monkeypatch):
    """Compute convolutions as when the numbers were made; tests/kernels compares ours with them."""
    monkeypatch.setattr("chainrule.kernels.xla_convolution.on_cpu", lambda: False)
    jax.clear_caches()
    yield
    jax.clear_caches()


@pytest.mark.parametrize("name", [*DATA, *GALLERIES])
def test_it_loads_and_predicts_as_before(name, float32_world, xla_alone):
    expected = EXPECTED["predictions"][name]
    found = predictions(OLD_RUNS, name)
    assert found.keys() == expected.keys()
    for quantity, values in found.items():
        np.testing.assert_allclose(values, expected[quantity], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CUT_TRAININGS)
def test_an_interrupted_training_is_resumed(place, name):
    said = chainrule(place, "train", "--resume", name, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["stopped"] == "epochs"
    assert not (place / f"{name}.partial").exists()
    costs = [line["cost"] for line in epochs_of(place / name)]
    expected = EXPECTED["costs"][name]
    assert len(costs) == len(expected)
    # Triplets are chosen by distances, so that other rounding soon leads to other triplets.
    same = 4 if name == "cut-verify" else len(expected)
    np.testing.assert_allclose(costs[:same], expected[:same], rtol=1e-3)


def test_an_interrupted_search_is_resumed(place):
    said = chainrule(place, "tune", "--resume", "cut-search", "--json")
    assert said.code == 0, said.err
    assert [one["state"] for one in json.loads(said.out)["candidates"]] == ["done"] * 4
    costs = [line["cost"] for line in epochs_of(place / "cut-search" / "best")]
    np.testing.assert_allclose(costs, EXPECTED["costs"]["cut-search"], rtol=1e-3)


def test_a_run_is_repeated_as_if_its_options_were_given(place):
    repeated = chainrule(place, "train", "--recipe", "regression", "--out", "repeated", "--json")
    fresh = chainrule(place, *RUNS["regression"], "--out", "fresh", "--json")
    lines = [json.loads(said.out) for said in (repeated, fresh)]
    ignored = {"run": "", "seconds": 0}
    assert lines[0] | ignored == lines[1] | ignored
    assert epochs_of(place / "repeated") == epochs_of(place / "fresh")
    weights = [place / run / "weights.safetensors" for run in ("repeated", "fresh")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    costs = [
        [line["cost"] for line in epochs_of(place / run)] for run in ("repeated", "regression")
    ]
    np.testing.assert_allclose(*costs, rtol=1e-3)


def test_a_gallery_takes_more_people(place):
    words = ("enrol", "verify", "verify.gallery", "guest", "data/visitors", "--json")
    said = chainrule(place, "verify", *words)
    assert said.code == 0, said.err
    assert json.loads(said.out)["names"] == ["p50", "p51", "p52", "guest"]
