"""chainrule/runs/networks.py: the network of a recipe, built and rebuilt from its settings."""

import numpy as np
import pytest

from chainrule.errors import ChainruleError, OptionError
from chainrule.layers.augment import Augment
from chainrule.layers.layer import named_arrays, replace_arrays
from chainrule.runs.defaults import COSTS
from chainrule.runs.folder import load, save
from chainrule.runs.gradients import check_network
from chainrule.runs.job import train_prepared
from chainrule.runs.networks import augmented, has_images, rebuild_network, values_of
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.train.outputs import network_outputs
from tests.train.pictures import SMALL, halves, pictures
from tests.train.sources import prepared as prepared_table

pytestmark = pytest.mark.usefixtures("float32_world")


def made(folder, **options):
    return prepare(Recipe(pictures(folder), **{**SMALL, **options}))


def changes(network) -> list[str]:
    return [part.title for part in network.parts() if isinstance(part, Augment)]


def test_the_number_of_activations_by_hand(tmp_path):
    network = made(tmp_path).network
    shapes = [8 * 8 * 2, 4 * 4 * 2, 4 * 4 * 4, 2 * 2 * 4]  # CONV1, POOL1, CONV2, POOL2
    assert values_of(network, 64) == 64 + 64 + sum(shapes) + 16 + 8 + 1


def test_activations_inside_a_residual_block_count(tmp_path):
    network = made(tmp_path, network="resnet20", width=1 / 8).network
    assert values_of(network, 64) > 64 + 18 * 2 * (64 * 2 + 16 * 4 + 4 * 8) / 3


@pytest.mark.parametrize("augment", [None, "none", "crop=1", "auto", "pca,noise=0.1"])
def test_a_network_is_rebuilt_from_its_settings(augment, tmp_path):
    network = made(tmp_path, augment=augment).network
    restored = replace_arrays(rebuild_network(network.settings), named_arrays(network))
    assert restored.settings == network.settings
    assert changes(restored) == changes(network)
    assert len(changes(network)) == (augment not in (None, "none"))
    X = np.random.default_rng(0).random((3, 64), np.float32)
    np.testing.assert_array_equal(network_outputs(restored, X), network_outputs(network, X))


def test_new_augmentation_replaces_the_old(tmp_path):
    prepared = made(tmp_path, augment="crop=1")
    X = prepared.parts["train"].X
    assert changes(augmented(prepared.network, "mirror", X)) == ["Augment(mirror=0.5)"]
    assert augmented(prepared.network, "none", X).settings == made(tmp_path).network.settings


def test_images_of_every_kind(tmp_path):
    assert made(tmp_path).network.shape == (8, 8, 1)
    X, y = halves(colours=True)
    np.savez(tmp_path / "colours.npz", X=X, y=y)
    prepared = prepare(Recipe(str(tmp_path / "colours.npz"), **SMALL))
    assert prepared.network.shape == (8, 8, 3)
    assert has_images(prepared.network)
    assert not has_images(prepared_table("classes", tmp_path).network)


def test_rows_that_fill_a_square_are_images_with_one_scale():
    prepared = prepare(Recipe("digits", **SMALL))
    assert prepared.network.shape == (8, 8, 1)
    assert prepared.preprocessor.shape == (8, 8)
    train = prepared.parts["train"].X
    np.testing.assert_allclose([train.mean(), train.std()], [0, 1], atol=1e-5)


def test_a_run_trains_is_checked_and_is_restored(tmp_path):
    prepared = made(tmp_path, precision="bfloat16")
    run = train_prepared(prepared)
    assert run.history.costs[-1] < run.history.costs[0]
    X, _ = halves()
    restored = load(save(run, tmp_path / "run").path)
    np.testing.assert_array_equal(restored.predict(X), run.predict(X))
    assert restored.network.settings == run.network.settings
    report = check_network(run.network, COSTS["logistic"], prepared.parts["train"], samples=2)
    assert report.verdict == "right"


# ---- error messages


def test_a_table_is_refused_as_images(tmp_path):
    with pytest.raises(OptionError) as error:
        prepared_table("table", tmp_path, hidden=None, network="lenet")
    assert str(error.value) == (
        "--network lenet: expected images; got a table of 3 columns.\n"
        "Try --hidden 64,32, or leaving out --network, which leaves the choice to chainrule."
    )
    with pytest.raises(OptionError, match="got rows of 3 numbers"):
        prepared_table("classes", tmp_path, hidden=None, network="lenet")


def test_images_that_are_too_small_are_refused(tmp_path):
    with pytest.raises(ChainruleError, match="lenet"):
        made(tmp_path, network="lenet")


def test_a_crop_larger_than_the_images_names_the_option(tmp_path):
    with pytest.raises(OptionError) as error:
        made(tmp_path, augment="crop=8")
    assert str(error.value) == (
        "--augment, augmentation, crop: expected a number of pixels less than the shorter side of "
        "the image (8); got 8.\nTry crop=1."
    )
