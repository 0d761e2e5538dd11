"""chainrule describe RUN --features: pictures of what its layers detect, beside the run."""

import json

import pytest

from chainrule.runs.folder import load
from tests.cli.command import chainrule

PICTURES = ["filters.png", "layer1.png", "layer2.png"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A folder with a run of convolutions on the digits, and what was said of its features."""
    folder = tmp_path_factory.mktemp("features")
    options = ("--network", "convnet", "--width", "0.125", "--epochs", "1", "--no-check")
    assert chainrule(folder, "train", "digits", *options, "--out", "run").code == 0
    return folder, chainrule(folder, "describe", "run", "--features")


def test_the_pictures_lie_beside_the_run_which_stays_as_it_was(seen):
    folder, said = seen
    assert said.code == 0, said.err
    assert sorted(file.name for file in (folder / "run-features").iterdir()) == PICTURES
    for name in PICTURES:
        assert (folder / "run-features" / name).read_bytes().startswith(b"\x89PNG")
    first, second = said.out.splitlines()
    assert first.startswith(
        "run-features/layer1.png  Conv2D(3×3, 1 -> 4): receptive field 3×3 pixels, 4 ch"
    )
    assert second.startswith(
        "run-features/layer2.png  Conv2D(3×3, 4 -> 8): receptive field 8×8 pixels, 8 ch"
    )
    assert load(folder / "run").path is not None


def test_they_go_where_out_says_and_json_tells_of_them(seen):
    folder, _ = seen
    said = chainrule(folder, "describe", "run", "--features", "--out", "seen/here", "--json")
    found = json.loads(said.out)
    assert found["folder"] == "seen/here"
    assert [layer["layer"] for layer in found["layers"]] == [1, 2]
    assert all(len(row) == 9 for layer in found["layers"] for row in layer["values"])
    assert (folder / "seen" / "here" / "layer2.png").is_file()


def test_a_network_without_convolutions_has_none(iris_run, refused):
    assert refused("describe", iris_run, "--features") == (
        "features: expected a network with convolutional layers; "
        "got Dense(4 -> 4), Dense(4 -> 3).\n"
        "Try a convolutional network, such as --network lenet.\n"
    )


def test_a_folder_that_cannot_be_made_is_said(seen):
    folder, _ = seen
    (folder / "file").write_text("")
    said = chainrule(folder, "describe", "run", "--out", "file/here")
    assert said.code == 2
    assert said.err.startswith(
        '--out: expected a folder that can be created; got the system error "Not a directory".\n'
    )
