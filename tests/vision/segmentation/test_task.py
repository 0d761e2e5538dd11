"""chainrule/vision/segmentation/task.py"""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from chainrule import load, resume, train_vision_model
from chainrule.errors import ChainruleError, DataWarning
from chainrule.inspection.report.content import command
from chainrule.runs import job
from chainrule.runs.status import last_step
from chainrule.vision.segmentation.mask_classes import MaskClasses, read_classes
from chainrule.vision.segmentation.task import (
    TASK,
    SegmentRecipe,
    classes_text,
    interpolated,
    mask_files,
    read_similar,
    resized_mask,
    segment_files,
)
from tests.vision.shapes import COLOURS, NAMES, folder, shapes

pytestmark = pytest.mark.usefixtures("float32_world")
OPTIONS = {"depth": 1, "width": 1 / 16, "batch_size": 8, "epochs": 12, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, and what a kill leaves that meets its training after a few of its twelve epochs."""
    place = tmp_path_factory.mktemp("segment")
    source = str(folder(place / "shapes", 24))
    opened = TASK.open(SegmentRecipe(source, augment="mirror", **OPTIONS))
    with job.begin(opened, place / "run") as unfinished:

        def kill(history, share):
            if not (place / "killed.partial").exists() and last_step(unfinished.run):
                shutil.copytree(unfinished.folder, place / "killed.partial")

        system = opened.fit(unfinished, kill, every=0)
        return opened.save(system, unfinished), place


def test_what_is_saved_is_what_is_loaded(trained):
    system, place = trained
    again = load(place / "run", "segment")
    X, _ = shapes(3, 9)
    np.testing.assert_array_equal(again.model.predict_proba(X), system.model.predict_proba(X))
    assert again.names == tuple(NAMES)
    assert again.results == system.results
    saved = MaskClasses.from_dict(again.model.marks_, "")
    assert saved.marks == tuple(map(tuple, COLOURS.tolist()))
    assert system.facts["sizes"] == {"train": 16, "dev": 4, "test": 4}
    assert (place / "run" / "masks.png").read_bytes()[:4] == b"\x89PNG"


def test_it_has_learned_what_the_squares_are(trained):
    system, _ = trained
    test = system.results["test"]
    assert test["mean_iou"] > 0.5
    assert test["mean_iou"] == pytest.approx(np.mean(test["iou"]))
    assert test["pixels"] == 4 * 14 * 20


def test_an_interrupted_one_ends_as_if_nothing_had_happened(trained):
    system, place = trained
    assert 0 < last_step(place / "killed") < 12 * 2
    again = resume(place / "killed")
    weights = [run / "weights.safetensors" for run in (system.path, again.path)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert again.results == system.results
    assert not (place / "killed.partial").exists()


def test_masks_in_the_size_of_the_picture(trained, tmp_path):
    system, place = trained
    with Image.open(place / "shapes/images/3.png") as small:
        small.resize((50, 35)).save(tmp_path / "large.jpg")
        small.convert("L").save(tmp_path / "grey.png")
    found = list(segment_files(system, tmp_path))
    assert [one.path.name for one in found] == ["grey.png", "large.jpg"]
    assert [one.mask.shape for one in found] == [(14, 20), (35, 50)]
    files = mask_files(found, system)
    assert sorted(files) == [
        "classes.txt",
        "masks/grey.png",
        "masks/large.png",
        "overlays/grey.png",
        "overlays/large.png",
    ]
    mask = Image.open(io.BytesIO(files["masks/large.png"]))
    np.testing.assert_array_equal(np.asarray(mask.convert("RGB")), COLOURS[found[1].mask])
    overlay = Image.open(io.BytesIO(files["overlays/large.png"]))
    assert overlay.width == 50
    assert overlay.height > 35  # the names are below
    line = found[1].to_dict()
    assert (line["width"], line["height"]) == (50, 35)
    assert sum(line["shares"].values()) == pytest.approx(1)


def test_what_it_says_is_data_again(trained, tmp_path):
    """Its masks, read as those of people, agree with it: nothing is lost on the way."""
    system, place = trained
    files = mask_files(list(segment_files(system, place / "shapes/images")), system)
    shutil.copytree(place / "shapes/images", tmp_path / "images")
    (tmp_path / "masks").mkdir()
    for name, content in files.items():
        if not name.startswith("overlays/"):
            (tmp_path / name).write_bytes(content)
    classes = read_classes(tmp_path / "classes.txt")
    part = read_similar(str(tmp_path), "test", classes, system.network.shape)
    assert system.model.score(part.X, part.Y) == 1.0


def test_values_are_kept(tmp_path):
    source = folder(tmp_path / "shapes", 12, colours=False)
    how = {"dev": "none", "test": "none", "ignored": "ground", "class_weight": "none"}
    system = train_vision_model(
        "segment", source, out=tmp_path / "run", **how, **OPTIONS | {"epochs": 1}
    )
    assert system.names == ("green", "blue")
    found = list(segment_files(system, source / "images" / "0.png"))
    mask = np.asarray(Image.open(io.BytesIO(mask_files(found, system)["masks/0.png"])))
    assert set(np.unique(mask)) <= {1, 2}  # as in the masks; 0 is ignored, and never said
    assert classes_text(MaskClasses(("green", "blue"), ((1,), (2,)))) == "green 1\nblue 2\n"


def test_the_chances_are_enlarged_and_not_the_classes():
    chances = np.array([[[0.9, 0.1], [0.4, 0.6], [0.45, 0.55]]])
    assert resized_mask(chances, (1, 3)).tolist() == [[0, 1, 1]]
    assert resized_mask(chances, (2, 6)).tolist() == [[0, 0, 0, 1, 1, 1]] * 2
    np.testing.assert_allclose(interpolated(np.array([[1.0, 3.0]]), 1, axis=1), [[2.0]])
    np.testing.assert_allclose(interpolated(np.array([[5.0]]), 3, axis=0), [[5.0]] * 3)


def test_two_pictures_of_one_name(trained, tmp_path):
    system, place = trained
    for name in ("0.png", "0.bmp"):
        Image.open(place / "shapes/images/0.png").save(tmp_path / name)
    found = list(segment_files(system, tmp_path))
    assert len(found) == 2
    with pytest.raises(ChainruleError, match=r"expected a name that differs from 0\.bmp"):
        mask_files(found, system)  # one would overwrite the other


def test_classes_that_the_training_part_has_not(tmp_path):
    X, Y = shapes(5)
    Y = np.where(Y == 2, 0, Y)
    names = np.array(NAMES)
    np.savez(tmp_path / "a.npz", X=X, Y=Y, classes=names)
    expected = r"a\.npz has no pixel of blue, so this class will never be predicted"
    with pytest.warns(DataWarning, match=expected):
        opened = TASK.open(SegmentRecipe(str(tmp_path / "a.npz")))
    assert opened.names == tuple(NAMES)
    np.savez(tmp_path / "b.npz", X=X, Y=np.zeros_like(Y), classes=names)
    with pytest.raises(ChainruleError) as error:
        TASK.open(SegmentRecipe(str(tmp_path / "b.npz")))
    assert str(error.value).replace(f"{tmp_path}/", "") == (
        "the training set of b.npz: expected pixels of at least two classes; got only pixels of "
        "ground.\nTry more images."
    )


def test_another_size_than_it_was_trained_on(trained, tmp_path):
    system, _ = trained
    X, Y = shapes(2)
    np.savez(tmp_path / "a.npz", X=X[:, :10], Y=Y[:, :10])
    classes = MaskClasses(tuple(NAMES), ((0,), (1,), (2,)))
    with pytest.raises(ChainruleError) as error:
        read_similar(str(tmp_path / "a.npz"), "test", classes, system.network.shape)
    said = str(error.value).replace(f"{tmp_path}/", "")
    assert said.startswith("a.npz: expected images of 14×20; got images of 10×20.\nTry ")


def test_pictures_of_another_size_are_brought_to_that_of_the_network(trained, tmp_path):
    system, _ = trained
    more = folder(tmp_path / "more", 2, seed=4)
    for name, how in (("images", Image.Resampling.BILINEAR), ("masks", Image.Resampling.NEAREST)):
        for file in (more / name).iterdir():
            with Image.open(file) as small:
                small.resize((60, 42), how).save(file)
    classes = MaskClasses.from_dict(system.model.marks_, "the run")
    part = read_similar(str(more), "test", classes, system.network.shape)
    np.testing.assert_array_equal(part.Y, shapes(2, 4)[1])
    assert part.X.shape == (2, 14, 20, 3)


def test_what_a_recipe_says():
    recipe = SegmentRecipe("a b", masks="m", ignored="void", depth=2, class_weight="none")
    assert SegmentRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.options == {"depth": 2, "class_weight": None, "random_state": 0}
    assert command(recipe) == (
        "chainrule segment train 'a b' --masks m --ignored void --depth 2 --class-weight none"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"depth": 0}, "--depth: expected a whole number of at least 1; got 0.\nTry 4."),
        ({"keep_prob": 1.5}, "--keep-prob: expected a number greater than 0 and at most 1; got"),
        ({"class_weight": "even"}, "--class-weight: expected one of 2 choices; got 'even'."),
    ],
)
def test_what_a_recipe_refuses(options, words):
    with pytest.raises(ChainruleError) as error:
        SegmentRecipe("a", **options)
    assert str(error.value).startswith(words)
