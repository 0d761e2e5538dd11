"""chainrule/data/load.py"""

import numpy as np
import pytest

from chainrule.data.load import BUILT_IN, built_in_dataset
from chainrule.errors import OptionError
from tests.validation.write_built_in import from_scikit_learn

SHAPES = {
    "digits": (1797, 64),
    "iris": (150, 4),
    "wine": (178, 13),
    "breast_cancer": (569, 30),
    "diabetes": (442, 10),
    "moons": (1000, 2),
    "circles": (1000, 2),
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_data_set_exists_and_is_reproducible(name):
    source, again = built_in_dataset(name), built_in_dataset(name)
    assert source.X.shape == SHAPES[name]
    assert source.y.shape == (len(source),)
    assert np.isfinite(np.asarray(source.X, float)).all()
    assert source.digest == again.digest
    assert len(source.digest) == 64


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_files_are_scikit_learns_sets(name):
    found, wanted = built_in_dataset(name), from_scikit_learn(name)
    # Some are computed by scikit-learn, where the last bit depends on the processor.
    np.testing.assert_allclose(np.asarray(found.X), wanted["X"], rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(found.y, wanted["y"])
    assert np.asarray(found.X).dtype == wanted["X"].dtype == np.float64
    if found.is_table:
        assert list(found.X.columns) == wanted["names"].tolist()


def test_the_tables_have_names():
    iris = built_in_dataset("iris")
    assert iris.is_table
    assert iris.X.columns[2] == "petal length (cm)"
    assert (iris.target, iris.y[0], iris.y[149]) == ("species", "setosa", "virginica")
    cancer = built_in_dataset("breast_cancer")
    assert (cancer.y == "malignant").sum() == 212
    assert built_in_dataset("diabetes").y.dtype.kind == "f"


def test_digits_are_numbers_to_16():
    digits = built_in_dataset("digits")
    assert digits.X.ndim == 2
    assert (digits.X.min(), digits.X.max()) == (0, 16)
    assert digits.y.dtype.kind == "i"


def test_moons_and_circles_are_balanced():
    assert np.bincount(built_in_dataset("moons").y).tolist() == [500, 500]
    assert np.bincount(built_in_dataset("circles").y).tolist() == [500, 500]


def test_reports_the_choices():
    with pytest.raises(OptionError, match=r"the data set: .* got 'irys'.\nTry iris .did you mean"):
        built_in_dataset("irys")
