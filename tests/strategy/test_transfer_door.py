"""chainrule/strategy/transfer_layers.py"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from chainrule.data.dataset import Dataset
from chainrule.errors import DataError, ShapeError
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe
from chainrule.strategy.transfer_layers import data_like, distance, fitting, with_image_size
from tests.strategy.transfers import base, run_on, task
from tests.train.sources import KINDS

FROM = "--from runs/old-1"


def preprocessor(*shape: int) -> Preprocessor:
    """Return the preprocessor of a base that takes inputs of this shape."""
    return replace(base().preprocessor, shape=shape)


def source(*shape: int) -> Dataset:
    return Dataset("new.npz", np.zeros((2, *shape)))


def test_the_distance_of_inputs_by_hand():
    old = {"mean": np.array([0.0, 10.0]), "deviation": np.array([1.0, 1.0])}
    X = np.array([[1.0, 10.0], [3.0, 14.0]])
    shift, spread = distance(old, X)
    assert shift.tolist() == [2.0, 2.0]
    assert spread == pytest.approx(np.sqrt((1 + 4) / 2))
    constant = {"mean": np.zeros(2), "deviation": np.array([0.0, np.sqrt(2)])}
    shift, _ = distance(constant, np.array([[1.0, 0.0]]))
    assert shift[0] == pytest.approx(1 / 0.1)  # a tenth of the usual deviation, which is 1


def test_the_scale_is_the_base_s_and_the_labels_are_new(tmp_path):
    recipe = Recipe(task(tmp_path, "new", 60, 3, seed=7), base="runs/old-1")
    data = data_like(recipe, base().preprocessor)
    assert data.preprocessor.inputs is base().preprocessor.inputs
    assert data.preprocessor.labels.classes == (0, 1, 2)
    part = data.sources["dev"]
    np.testing.assert_array_equal(data.parts["dev"].X, base().preprocessor.rows(part.X))
    assert set(data.parts) == {"train", "dev", "test"}


def test_a_table_is_preprocessed_by_the_base_s_columns(tmp_path):
    options = KINDS["table"](tmp_path)
    old = run_on(options["source"], target="taste")
    fruit = pd.read_csv(options["source"])
    fruit = fruit[["weight", "colour", "size"]].assign(price=fruit["weight"] * 2.5)
    fruit.to_csv(tmp_path / "price.csv", index=False)
    recipe = Recipe(str(tmp_path / "price.csv"), target="price", base="runs/old-1")
    data = data_like(recipe, old.preprocessor)
    assert data.preprocessor.names == old.preprocessor.names
    assert data.preprocessor.labels.task == "regression"


def test_grey_images_become_rgb_and_rows_of_pixels_stay():
    assert fitting(FROM, preprocessor(8, 8, 3), source(8, 8)).X.shape == (2, 8, 8, 3)
    assert fitting(FROM, preprocessor(8, 8), source(64)).X.shape == (2, 64)


def test_images_get_the_base_s_size(tmp_path):
    assert with_image_size(Recipe(str(tmp_path)), preprocessor(8, 6, 3)).image_size == (8, 6)
    given = with_image_size(Recipe(str(tmp_path), image_size=(4, 4)), preprocessor(8, 6))
    assert given.image_size == (4, 4)
    assert with_image_size(Recipe("digits"), preprocessor(8, 6)).image_size is None


# Words


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            (28, 28),
            (8, 8),
            "expected 784 inputs (28×28), as the base expects; got 64 inputs (8×8) in new.npz.\n"
            "Try 28×28, or training from scratch, without --from.",
        ),
        (
            (8, 8),
            (8, 8, 3),
            "expected 64 inputs (8×8), as the base expects; "
            "got 192 inputs (8×8 in colour) in new.npz.\nTry grey images.",
        ),
        (
            (4,),
            (5,),
            "expected 4 inputs, as the base expects; got 5 inputs in new.npz.\n"
            "Try rows of 4 numbers, or training from scratch, without --from.",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(old, new, words):
    with pytest.raises(ShapeError) as error:
        fitting(FROM, preprocessor(*old), source(*new))
    assert str(error.value) == f"{FROM}: {words}"


def test_tables_that_do_not_fit_are_refused(tmp_path):
    old = run_on(KINDS["table"](tmp_path)["source"], target="taste").preprocessor
    table = Dataset("new.csv", pd.DataFrame({"sise": [1.0], "colour": ["red"]}))
    with pytest.raises(DataError) as error:
        fitting(FROM, old, table)
    assert str(error.value) == (
        f"{FROM}: expected a table with the base's 3 columns; got new.csv without "
        "'size', 'weight'.\nTry sise (did you mean that?); the choices are sise."
    )
    with pytest.raises(DataError) as error:
        fitting(FROM, old, source(3))
    assert str(error.value) == (
        f"{FROM}: expected a table with the base's 3 columns; got 3 inputs in new.npz.\n"
        "Try training from scratch, without --from."
    )
    with pytest.raises(DataError) as error:
        fitting(FROM, preprocessor(4), table)
    assert str(error.value) == (
        f"{FROM}: expected 4 inputs without column names, as the base expects; "
        "got a table of 2 columns in new.csv.\nTry training from scratch, without --from."
    )
