"""chainrule/data/time_series.py: files of the UCR and UEA archives"""

import hashlib

import numpy as np
import pytest

from chainrule.data.labels import Labels
from chainrule.data.load import load
from chainrule.errors import DataError, OptionError

HEADER = """\
# two sensors of a glove
@problemName Gestures
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true up down
@data
"""
GESTURES = HEADER + "0.1,0.2,0.3:1.5,1.4,-1.3e-1:up\n0.4,?:1.2,NaN:down\n"
REGRESSION = "@targetLabel true\n@data\n1,2:0.5\n3:-2\n"
EQUAL = "@univariate true\n@equalLength true\n@seriesLength 2\n@classLabel true a b\n@data\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a file, in the working directory, and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes, name: str = "a.ts") -> str:
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(content)
        return name

    return write


def error_text(name, kind=DataError, **options) -> str:
    with pytest.raises(kind) as error:
        load(name, **options)
    return str(error.value)


def test_an_example_done_by_hand(write):
    data = load(write(GESTURES))
    expected = [[[0.1, 1.5], [0.2, 1.4], [0.3, -0.13]], [[0.4, 1.2], [np.nan, np.nan], [0, 0]]]
    np.testing.assert_array_equal(data.X.values, expected)
    assert data.X.lengths.tolist() == [3, 2]
    assert data.y.tolist() == ["up", "down"]
    assert data.classes == ("up", "down")
    assert (data.name, data.parts) == ("a.ts", {})
    assert (data.where.tolist(), data.place_name) == (["line 10", "line 11"], "place")
    assert data.digest == hashlib.sha256(GESTURES.encode()).hexdigest()
    assert data.rows(np.array([1])).X.lengths.tolist() == [2]


def test_the_classes_are_those_of_the_labels(write):
    data = load(write(HEADER.replace("up down", "up down left") + "1:2:up\n1:2:down\n" * 2))
    labels = Labels.learn(data.y, classes=data.classes)
    assert (labels.classes, labels.names) == (("down", "up"), ("down", "up"))


def test_numbers_as_labels_and_one_dimension(write):
    data = load(write(REGRESSION))
    np.testing.assert_array_equal(data.y, [0.5, -2])
    assert data.y.dtype == np.float64
    np.testing.assert_array_equal(data.X.values, [[[1], [2]], [[3], [0]]])
    assert data.classes is None


@pytest.mark.parametrize(
    "change",
    [
        ("\n", "\r\n"),
        ("# two", "% two"),
        ("@problemName Gestures", "\n  \n#@dimensions 7\n@relation x y"),
        ("@dimensions", "@DIMENSION"),
        ("false", "False"),
        ("@dimensions 2\n", ""),
        ("@timeStamps false\n", ""),
        ("0.1,0.2", "# a comment\n\n 0.1, 0.2\t"),
        ("# two", "\ufeff# two"),
        ("@classLabel", "@seriesLength -1\n@targetlabel false\n@classLabel"),
        (":up", ": up "),
    ],
    ids=str,
)
def test_files_that_are_written_otherwise(write, change):
    one, other = load(write(GESTURES)), load(write(GESTURES.replace(*change), "b.ts"))
    np.testing.assert_array_equal(one.X.values, other.X.values)
    assert one.y.tolist() == other.y.tolist()


def test_a_comment_may_have_any_bytes(write):
    assert len(load(write(b"# \xe9t\xe9\n" + GESTURES.encode()))) == 2


def test_the_test_set_is_read_with_the_training_set(write, tmp_path):
    (tmp_path / "Gestures_DEV.ts").mkdir()
    write(GESTURES, "Gestures_eq_TEST.ts")
    write(GESTURES, "other_TEST.ts")
    write(GESTURES, "Gestures_TEST.txt")
    test = write(HEADER + "1,2,3,4:5,6,7,8:down\n", "Gestures_TEST.ts")
    write(HEADER + "1:2:up\n", "Gestures_val.ts")
    data = load(write(GESTURES, "Gestures_TRAIN.ts"))
    assert {name: part.X.shape for name, part in data.parts.items()} == {
        "test": (1, 4, 2),
        "dev": (1, 1, 2),
    }
    assert data.parts["test"].y.tolist() == ["down"]
    assert data.parts["test"].digest == load(test).digest != data.digest
    assert load(test).parts == load("Gestures_val.ts", part="test").parts == {}
    assert load("Gestures_TRAIN.ts", part="test").X.shape == (1, 4, 2)
    assert load("Gestures_TRAIN.ts", labelled=False).parts == {}
    assert load("other_TEST.ts", part="dev").X.shape == (2, 3, 2)


def test_the_sets_must_fit_together(write):
    train = write(GESTURES, "a_TRAIN.ts")
    write(REGRESSION, "a_TEST.ts")
    assert error_text(train) == (
        "a_TEST.ts: expected 2 dimensions, as in a_TRAIN.ts; got 1.\n"
        "Try preparing both sets in the same way."
    )
    write(GESTURES, "a_Testing.ts")
    assert error_text(train) == (
        ".: expected one test set; got a_TEST.ts and a_Testing.ts.\nTry keeping one of them."
    )


def test_labels_are_not_needed_for_prediction(write):
    for content in (GESTURES, GESTURES.replace(":up", ":?"), REGRESSION.replace("0.5", "?")):
        data = load(write(content), labelled=False)
        assert data.y is None
        assert len(data) == 2
    unlabelled = "@classLabel false\n@data\n1,2:3,4\n"
    np.testing.assert_array_equal(
        load(write(unlabelled), labelled=False).X.values, [[[1, 3], [2, 4]]]
    )
    assert error_text(write(unlabelled)) == (
        "a.ts: expected labels: a line @classLabel true with the classes, or @targetLabel true; "
        "got neither of them.\nTry adding the label to each line, or a file with labels."
    )


def test_the_options_of_other_data_are_refused(write):
    assert error_text(write(GESTURES), OptionError, target="y") == (
        "--target: expected a table; got a.ts.\nTry removing this option."
    )
    assert error_text(write(GESTURES), OptionError, image_size=(2, 2)) == (
        "--image-size: expected a folder of images; got a.ts.\nTry removing this option."
    )
    assert len(load(write(GESTURES), sequences=True)) == 2


CUT = "Try copying or downloading the file again, if it was cut short."
TIMES = "Try leaving out the times: 0.1,0.2 in place of (…,0.1),(…,0.2)."
FALSE = "Try @classLabel true a b, with the classes a and b."
WRONG = {
    # the header
    "no data": (
        HEADER.replace("@data\n", ""),
        f"a.ts: expected a line @data, and the examples below it; got none.\n{CUT}",
    ),
    "no line": (
        "",
        "a.ts: expected data; got an empty file.\nTry copying or downloading it again.",
    ),
    "a blank file": (
        "\n",
        f"a.ts: expected a line @data, and the examples below it; got none.\n{CUT}",
    ),
    "no examples": (
        HEADER + "\n# end\n",
        f"a.ts: expected at least one example below @data; got none.\n{CUT}",
    ),
    "numbers above the data": (
        GESTURES.replace("@data\n", ""),
        "a.ts, line 9: expected a line that begins with @, down to the line @data; got "
        "'0.1,0.2,0.3:1.5,1.4,-1.3e-1:up'.\n"
        "Try # in front of a comment, and a line @data above the examples.",
    ),
    "an odd blank": (
        GESTURES.replace("# two sensors of a glove", "\u00a0"),
        "a.ts, line 1: expected a line that begins with @, down to the line @data; got ''.\n"
        "Try # in front of a comment, and a line @data above the examples.",
    ),
    "data in the line of @data": (
        GESTURES.replace("@data\n", "@data "),
        "a.ts, line 9: expected @data alone in its line; got '0.1,0.2,0.3:1.5,1.4,-1.3e-1:up'.\n"
        "Try a new line below @data.",
    ),
    "timestamps": (
        GESTURES.replace("@timeStamps false", "@timestamps True"),
        "a.ts, line 3: expected numbers without times (@timeStamps false); got @timeStamps true.\n"
        + TIMES,
    ),
    "times without a header": (
        HEADER + "(2007-01-01 00:00:00,241.97),(2007-01-01 00:01:00,241.75):up\n",
        "a.ts, line 10: expected numbers without times (@timeStamps false); got a number with its "
        f"time in brackets.\n{TIMES}",
    ),
    "neither true nor false": (
        GESTURES.replace("@univariate false", "@univariate no"),
        "a.ts, line 5: expected @univariate true or false; got 'no'.\nTry @univariate false.",
    ),
    "no value": (
        GESTURES.replace("@equalLength false", "@equalLength"),
        "a.ts, line 7: expected @equalLength true or false; got nothing.\nTry @equalLength false.",
    ),
    "no number": (
        GESTURES.replace("@dimensions 2", "@dimensions two"),
        "a.ts, line 6: expected @dimensions a whole number of at least 1; got 'two'.\n"
        "Try @dimensions 1.",
    ),
    "a contradiction": (
        GESTURES.replace("@univariate false", "@univariate true"),
        "a.ts, line 6: expected @dimensions 1, since @univariate is true; got '2'.\n"
        "Try @univariate false.",
    ),
    "a line twice": (
        GESTURES.replace("@missing true", "@Dimension 3"),
        "a.ts, line 6: expected one line @dimensions; got a second one; the first is in line 4.\n"
        "Try removing one of them.",
    ),
    "labels of two kinds": (
        GESTURES.replace("@missing", "@targetLabel"),
        "a.ts, line 4: expected either @classLabel true or @targetLabel true; got both of them.\n"
        "Try @targetLabel false for classes, or @classLabel false for numbers.",
    ),
    "no classes": (
        GESTURES.replace("true up down", "true"),
        f"a.ts, line 8: expected @classLabel true and the classes; got 'true'.\n{FALSE}",
    ),
    "classes without true": (
        GESTURES.replace("true up down", "up down"),
        f"a.ts, line 8: expected @classLabel true or false; got 'up down'.\n{FALSE}",
    ),
    "a class twice": (
        GESTURES.replace("true up down", "true up down up"),
        "a.ts, line 8: expected different classes; got 'up' twice.\nTry listing each class once.",
    ),
    "another encoding": (
        GESTURES.encode().replace(b"Gestures", b"G\xe9stures"),
        "a.ts, line 2: expected text in UTF-8; got the byte 0xe9.\nTry saving it as UTF-8.",
    ),
    "a zero byte": (
        GESTURES.replace("0.4", "0.\0004"),
        "a.ts, line 11: expected text in UTF-8; got a zero byte.\n"
        "Try saving it as UTF-8, or copying the file again.",
    ),
    # the examples
    "cut short": (
        GESTURES[: -len(":1.2,NaN:down\n")],
        f"a.ts, line 11: expected dimensions and a label, separated by colons; got '0.4,?'.\n{CUT}",
    ),
    "cut short after a dimension": (
        HEADER + "1:2:up\n1:2",
        "a.ts, line 11: expected 2 dimensions and a label, as @dimensions says; got 1 dimension "
        f"and a label.\n{CUT}",
    ),
    "a second dimension": (
        EQUAL + "1,2:3,4:a\n1,2:b\n",
        "a.ts, line 6: expected 1 dimension and a label, as @univariate says; got 2 dimensions "
        "and a label.\nTry the same dimensions in every line.",
    ),
    "another number of dimensions": (
        GESTURES.replace("@dimensions 2\n", "") + "1:2:3:up\n1:2:up\n",
        "a.ts, line 11: expected 2 dimensions and a label, as in line 9; got 3 dimensions and a "
        "label.\nTry the same dimensions in every line.",
    ),
    "dimensions of different lengths": (
        HEADER + "1,2:3,4:up\n1,2,3:4,5:up\n",
        "a.ts, line 11: expected 3 steps in each dimension, as in dimension 1; got 2 in dimension "
        "2.\nTry ? for values that are unknown.",
    ),
    "an empty example": (
        HEADER + "1:2:up\n::down\n",
        "a.ts, line 11: expected numbers in every dimension; got none in dimension 1.\n"
        "Try removing the line, if the example has no values.",
    ),
    "another number of steps": (
        EQUAL + "1,2:a\n1,2,3:b\n1,2:b\n",
        "a.ts, line 7: expected 2 steps, as @seriesLength says, since @equalLength is true; got "
        "3.\nTry @equalLength false.",
    ),
    "fewer steps than in the first example": (
        EQUAL.replace("@seriesLength 2\n", "") + "1,2,3:a\n1,2:b\n",
        "a.ts, line 6: expected 3 steps, as in line 5, since @equalLength is true; got 2.\n" + CUT,
    ),
    "text among numbers": (
        HEADER + "1,2:3,four:up\n",
        "a.ts, line 10: expected numbers, or ? for those that are unknown; got 'four' in dimension "
        "2, step 2.\nTry a point as the decimal separator, and commas between the numbers.",
    ),
    "no number between commas": (
        HEADER + "1,,2:3,4,5:up\n",
        "a.ts, line 10: expected numbers, or ? for those that are unknown; got nothing in "
        "dimension 1, step 2.\nTry a point as the decimal separator, and commas between the "
        "numbers.",
    ),
    "an infinite number": (
        HEADER + "1,2:3,-1e400:up\n",
        "a.ts, line 10: expected finite numbers within the range of float32; got -inf in dimension "
        "2, step 2.\nTry smaller units, or ? if the value is unknown.",
    ),
    "an unknown class": (
        HEADER + "1:2:uo\n",
        "a.ts, line 10: expected one of the classes that @classLabel lists; got 'uo'.\n"
        "Try up (did you mean that?); the choices are up, down.",
    ),
    "no class": (
        HEADER + "1:2:\n",
        "a.ts, line 10: expected one of the classes that @classLabel lists; got nothing.\n"
        "Try one of up, down.",
    ),
    "a word as a number": (
        REGRESSION.replace("-2", "two"),
        "a.ts, line 4: expected a finite number as the label, since @targetLabel is true; got "
        "'two'.\nTry removing the line, if the value is unknown.",
    ),
    "an unknown target": (
        REGRESSION.replace("-2", "nan"),
        "a.ts, line 4: expected a finite number as the label, since @targetLabel is true; got "
        "'nan'.\nTry removing the line, if the value is unknown.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_reports_what_is_wrong(write, name):
    content, expected_text = WRONG[name]
    assert error_text(write(content)) == expected_text


@pytest.mark.parametrize("word", ["1_000", "0x10", "inf", "١", "1 2", "--1", "?1", "1e", "nan3"])
def test_only_plain_numbers_are_numbers(write, word):
    assert f"got '{word}' in dimension 1, step 2" in error_text(
        write(HEADER + f"1,{word}:2,3:up\n")
    )


def test_a_large_file_is_refused_before_it_is_padded(write, monkeypatch):
    name = write(GESTURES)
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 500)
    assert error_text(name) == (
        "a.ts: expected at most 500 bytes, the free memory; got 696 bytes.\n"
        "Try shorter sequences: all are padded to the length of the longest."
    )


def test_only_the_training_set_is_read_for_prediction(write):
    write(GESTURES, "a_TEST.ts")
    name = write(GESTURES, "a_TRAIN.ts")
    assert error_text(name, part="dev") == (
        "a_TRAIN.ts: expected a dev set; got only the sets train and test.\n"
        "Try a file with a single set, or one with a dev set."
    )
