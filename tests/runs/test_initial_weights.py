"""chainrule/runs/initial_weights.py: the scale of the initial weights, and weights from a file."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from chainrule.errors import ChainruleError
from chainrule.layers.layer import named_arrays
from chainrule.runs.folder import save
from chainrule.runs.initial_weights import with_initial_weights
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.strategy.train_model import train_model

rng = np.random.default_rng(0)
WEIGHTS = {
    "W1": rng.standard_normal((3, 4)),
    "b1": rng.standard_normal((3, 1)),
    "W2": rng.standard_normal((3, 3)),
    "b2": rng.standard_normal((3, 1)),
}
"""The weights of a network with one hidden layer of 3 units for iris."""


def initial(**options) -> dict[str, np.ndarray]:
    network = prepare(Recipe("iris", hidden=(3,), **options)).network
    return {name: np.asarray(x) for name, x in named_arrays(network).items()}


@pytest.mark.parametrize("options", [{}, {"init": "small"}, {"batch_norm": True}], ids=str)
def test_the_scale_multiplies_w_and_nothing_else(options):
    usual, scaled = initial(**options), initial(init_scale=10, **options)
    for name, x in usual.items():
        factor = 10 if name.startswith("W") else 1
        np.testing.assert_array_equal(scaled[name], np.float32(factor) * x)


def test_the_scale_of_a_network_for_images():
    one, ten = (
        named_arrays(prepare(Recipe("digits", network="convnet", init_scale=scale)).network)
        for scale in (1, 10)
    )
    np.testing.assert_array_equal(ten["W1"], np.float32(10) * np.asarray(one["W1"]))
    np.testing.assert_array_equal(ten["b1"], one["b1"])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_training_starts_from_the_weights_in_a_file(tmp_path, suffix):
    file = tmp_path / f"weights{suffix}"
    (np.savez if suffix == ".npz" else lambda file, **x: save_file(x, file))(file, **WEIGHTS)
    got = initial(initial_weights=str(file))
    assert all((got[name] == x.astype(np.float32)).all() for name, x in WEIGHTS.items())


def test_the_weights_of_a_run_are_such_a_file(tmp_path):
    """Averages of batch norm are taken too; the scales of the inputs are not part of a network."""
    options = {"hidden": (3,), "batch_norm": True}
    run = train_model("iris", epochs=2, **options)
    save(run, tmp_path / "run")
    got = initial(batch_norm=True, initial_weights=str(tmp_path / "run" / "weights.safetensors"))
    trained = named_arrays(run.network)
    assert got.keys() == trained.keys()
    assert all((got[name] == np.asarray(x)).all() for name, x in trained.items())


WRONG = {
    "a missing array": (
        {"b2": None},
        ": expected all parameters of DeepNetwork(4-3-3); got none for b2.\n"
        "Try adding them, or a network without these layers.",
    ),
    "another name": (
        {"W3": np.ones((3, 3))},
        ", W3: expected the name of an array of the network; got an unknown name.\n"
        "Try leaving it out, or a larger network.",
    ),
    "a name with a typing error": (
        {"W2": None, "w2": np.ones((3, 3))},
        ", w2: expected the name of an array of the network; got an unknown name.\n"
        "Try W2 (did you mean that?); the choices are W2.",
    ),
    "the transpose": (
        {"W1": np.ones((4, 3))},
        ", W1: expected the shape (3, 4); got (4, 3).\nTry its transpose: W is (n_l, n_prev).",
    ),
    "a flat b": (
        {"b1": np.ones(3)},
        ", b1: expected the shape (3, 1); got (3,).\nTry reshape(3, 1).",
    ),
    "another size": (
        {"W1": np.ones((5, 4))},
        ", W1: expected the shape (3, 4); got (5, 4).\nTry a network of the sizes of the weights.",
    ),
    "nan": (
        {"W1": np.full((3, 4), np.nan)},
        ", W1: expected finite numbers; got nan or infinity.\nTry replacing these values by finite "
        "numbers.",
    ),
    "text": (
        {"b1": np.full((3, 1), "x")},
        ", b1: expected numbers; got an array of type <U1.\nTry an array of numbers.",
    ),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG.keys())
def test_weights_that_do_not_fit_are_refused(tmp_path, change, words):
    arrays = {name: x for name, x in (WEIGHTS | change).items() if x is not None}
    file = tmp_path / "weights.npz"
    np.savez(file, **arrays)
    with pytest.raises(ChainruleError) as error:
        initial(initial_weights=str(file))
    assert str(error.value).startswith(f"{file}{words}")


def test_files_of_other_kinds_are_refused(tmp_path):
    network = prepare(Recipe("iris", hidden=(3,))).network
    for name, words in {
        "weights.txt": "expected a file .npz or .safetensors; got",
        "weights.pth": "expected a safetensors file; got a .pth file, which is a pickle and",
        "absent.npz": "expected a file with weights; got .*absent.npz, which does not exist",
    }.items():
        with pytest.raises(ChainruleError, match=words):
            with_initial_weights(network, str(tmp_path / name))
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"not a file of arrays")
    with pytest.raises(ChainruleError, match="expected a complete"):
        with_initial_weights(network, str(damaged))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"initial_weights": "w.npz"},
            "--initial-weights: expected the network of these weights, given by --hidden, "
            "--network or --layers; got no network.\nTry --hidden 64,32.",
        ),
        (
            {"initial_weights": "w.npz", "hidden": (3,), "init": "he"},
            "--initial-weights: expected either --initial-weights or --init; got both.\n"
            "Try leaving --init out.",
        ),
        (
            {"initial_weights": "w.npz", "hidden": (3,), "init_scale": 2},
            "--initial-weights: expected either --initial-weights or --init-scale; got both.\n"
            "Try leaving --init-scale out.",
        ),
        (
            {"init_scale": 2, "base": "runs/a"},
            "--init-scale: expected only one source of initial weights; got also --from runs/a.\n"
            "Try leaving --init-scale out.",
        ),
        ({"init_scale": 0}, "--init-scale: expected a number greater than 0; got 0.\nTry 10."),
    ],
    ids=["no network", "init", "scale", "from", "zero"],
)
def test_options_that_contradict_each_other_are_refused(options, words):
    with pytest.raises(ChainruleError) as error:
        Recipe("iris", **options)
    assert str(error.value) == words
