"""Bad options and recipes: one message in the design's form, exit code 2, and nothing written."""

import pytest


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--hidden", "64,-3", "--hidden: expected a whole number of at least 1; got -3."),
        ("--hidden", "64,x", "--hidden: expected a whole number; got 'x'."),
        ("--learning-rate", "abc", "--learning-rate: expected a number; got 'abc'."),
        ("--learning-rate", "nan", "--learning-rate: expected a number greater than 0; got nan."),
        ("--learning-rate", "-1", "--learning-rate: expected a number greater than 0; got -1."),
        ("--threads", "0", "--threads: expected a whole number of at least 1; got 0."),
        ("--seed", "-1", "--seed: expected a whole number of at least 0; got -1."),
        ("--epochs", "0", "--epochs: expected a whole number of at least 1; got 0."),
        ("--batch-size", "0", "--batch-size: expected a whole number of at least 1, or all; got"),
        ("--batch-size", "some", "--batch-size: expected a whole number; got 'some'."),
        ("--image-size", "8x8x8", "--image-size: expected HEIGHTxWIDTH, each at least 1; got"),
        ("--target", "species", "--target: expected a table in a file; got iris."),
        ("--early-stopping", "--dev=none", "--early-stopping: expected a dev set; got"),
        (
            "--dev",
            "no.csv",
            "no.csv: expected a file, a folder or the name of a built-in data set; got no such",
        ),
        (
            "--recipe",
            "no.json",
            "--recipe: expected a run's recipe.json; got no.json, which does not exist.",
        ),
        (
            "--out",
            "taken",
            "taken: expected a new folder for the run; got one that already exists.",
        ),
        ("--out", "taken/file/run", "taken/file: expected a folder that can be written; got a"),
    ],
)
def test_an_option(refused, tmp_path, option, value, message):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    assert message in refused("train", "iris", option, value)


@pytest.mark.parametrize(
    ("option", "wrong", "right"),
    [
        ("--activation", "rleu", "relu"),
        ("--optimizer", "adm", "adam"),
        ("--init", "hee", "he"),
        ("--task", "regresion", "regression"),
        ("--normalize", "standart", "standard"),
    ],
)
def test_a_choice_that_there_is_not(refused, option, wrong, right):
    message = refused("train", "iris", option, wrong)
    assert message.startswith(f"{option}: expected one of ")
    assert f"Try {right} (did you mean that?)" in message


def test_more_memory_than_there_is(refused):
    message = refused("train", "iris", "--hidden", "100000000,100000000")
    assert message.startswith("DeepNetwork(4-100000000-100000000-3): expected at most ")
    assert ", the free memory; got " in message


def test_more_memory_than_there_is_for_a_batch(refused, monkeypatch):
    """8,003 parameters would fit ten times; with the outputs for 90 examples, they do not."""
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 900_000)
    monkeypatch.setattr("chainrule.train.memory.SMALL", 0)  # trainings as small as this, too
    message = refused("train", "iris", "--hidden", "1000", "--batch-size", "all")
    assert "expected at most 900.00 kB, the free memory; got 978.31 kB." in message


def test_group_and_time(refused, table):
    name = table(who=list(range(10)) * 2, when=range(20))
    options = ("--group", "who", "--time", "when")
    assert "expected either groups or time; got both" in refused(
        "train", name, "--target", "y", *options
    )


def test_no_source(refused):
    assert refused("train").startswith("chainrule train: expected a SOURCE; got none.")


def test_an_option_that_there_is_not(refused):
    message = refused("train", "iris", "--hiden", "8")
    assert message.startswith("chainrule train: expected one of its options; got --hiden.")
    assert "Try --hidden (did you mean that?)" in message


def test_a_command_that_there_is_not(refused):
    message = refused("trian", "iris")
    assert message.startswith("chainrule: expected one of its commands; got 'trian'.")
    assert "Try train (did you mean that?)" in message


def test_a_word_that_is_missing(refused):
    message = refused("evaluate", "runs/iris-1")
    assert message.startswith("chainrule evaluate: expected a value for SOURCE; got none.")
    assert "Try chainrule evaluate --help." in message


@pytest.mark.parametrize(
    ("command", "option"), [("train", "--from"), ("errors", "--gallery"), ("train", "--l2")]
)
def test_an_option_without_its_value(refused, command, option):
    message = refused(command, "iris", option)
    assert message == f"{option}: expected a value; got none.\nTry chainrule {command} --help.\n"


def test_a_value_for_an_option_that_takes_none(refused):
    message = refused("train", "iris", "--batch-norm=yes")
    assert message == "--batch-norm: expected no value; got one.\nTry --batch-norm.\n"


def test_an_argument_too_many(refused):
    message = refused("train", "iris", "wine")
    assert message == (
        "chainrule train: expected only the arguments that its help lists; got wine as well.\n"
        "Try chainrule train --help.\n"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "--recipe, r.json: expected a JSON object; got text that is not valid JSON"),
        ("[1]", "--recipe, r.json: expected `object`; got `array`."),
        ('{"recipe": 5}', "--recipe, r.json, at recipe: expected `object`; got `int`."),
        ('{"recipe": {}, "facts": {"digests": 5}}', "--recipe, r.json, at facts.digests: expected"),
        ('{"source": "iris", "source": "wine"}', "got the key 'source' twice in one object"),
        ('{"source": "iris", "epoch": 5}', "Try epochs (did you mean that?)"),
        ('{"source": "iris", "epochs": "5"}', "the recipe, epochs: expected a whole number; got"),
        ('{"source": "iris", "hidden": 5}', "the recipe, hidden: expected a list of whole numbers"),
        ('{"source": 5}', "--recipe, r.json, the recipe, source: expected text; got 5."),
        (
            '{"source": "iris", "hidden": ["a"]}',
            "the recipe, hidden: expected a list of whole numbers; got ['a']",
        ),
    ],
)
def test_a_broken_recipe(refused, tmp_path, content, message):
    (tmp_path / "r.json").write_text(content)
    assert message in refused("train", "--recipe", "r.json")
