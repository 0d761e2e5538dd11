"""chainrule/strategy/label_errors.py: networks that did not see a flipped label find it."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.labels import Labels
from chainrule.errors import OptionError
from chainrule.runs.prepare import preprocess_sets
from chainrule.search.objective import fold_rows
from chainrule.strategy import label_errors
from chainrule.strategy.label_errors import find_label_errors
from tests.strategy.hand_made import line, made

pytestmark = pytest.mark.usefixtures("float32_world")


def blobs(m=240, flips=0, seed=0):
    """Three clusters of points, with `flips` labels changed at random."""
    rng = np.random.default_rng(seed)
    codes = np.arange(m) % 3
    X = rng.standard_normal((m, 4)) + 6 * np.eye(4)[codes]
    rows = rng.choice(m, flips, replace=False)
    codes[rows] = (codes[rows] + rng.integers(1, 3, flips)) % 3
    return Dataset("blobs", X, np.array(["a", "b", "c"])[codes]), rows


def as_data(**sources):
    first = next(iter(sources.values()))
    return preprocess_sets(sources, Labels.learn(first.y), None)


@pytest.fixture(scope="module")
def found():
    source, rows = blobs(flips=24)
    source = replace(source, places=1000 + np.arange(240))
    parts = {"train": source.rows(np.arange(160)), "dev": source.rows(np.arange(160, 240))}
    return find_label_errors(as_data(**parts)), rows


def test_flipped_labels_come_first(found):
    errors, rows = found
    first = [one.place - 1000 for one in errors.listed[:24]]
    assert len(set(first) & set(rows.tolist())) >= 23
    assert errors.noise.low <= 24 / 240 <= errors.noise.high
    assert errors.noise.kind == "random"


def test_each_part_has_its_count(found):
    errors, rows = found
    assert errors.parts["train"].m, errors.parts["dev"].m == (160, 80)
    assert abs(errors.parts["dev"].doubtful - int((rows >= 160).sum())) <= 2
    assert errors.parts["dev"].mistakes is None
    one = errors.listed[0]
    assert (one.part == "dev") == (one.place >= 1160)
    assert one.index == (one.place - 1000) % 160


def test_the_order_is_that_of_the_cost(found):
    p = [one.p_given for one in found[0].listed]
    assert p == sorted(p)


def test_no_network_predicts_a_row_or_a_group_that_it_saw(monkeypatch):
    """Use fake networks that remember their training rows, to catch one that predicts them."""
    source, _ = blobs(60)
    groups = np.arange(60) // 3
    seen = []

    def networks(train, ending, preprocessor, seed):
        seen.append({tuple(x) for x in (*train.X, *ending.X)})
        return [len(seen) - 1]

    def outputs(network, X):
        assert not seen[network] & {tuple(x) for x in X}
        return np.zeros((len(X), 3), np.float32)

    monkeypatch.setattr(label_errors, "_networks", networks)
    monkeypatch.setattr(label_errors, "network_outputs", outputs)
    data = as_data(train=source)
    label_errors.cross_fitted(data.parts["train"], source.y, data.preprocessor, groups=groups)
    assert len(seen) == label_errors.FOLDS
    assert all(len(rows) == 48 for rows in seen)
    folds = fold_rows(replace(source, groups=groups), 5, stratify=True)
    assert all(not set(groups[a]) & set(groups[b]) for a, b in folds)


def test_doubtful_labels_among_the_mistakes_of_a_run(monkeypatch):
    x, y = np.r_[np.linspace(-3, -1, 20), np.linspace(1, 3, 20)], np.repeat([0, 1], 20)
    y[[0, 39]] = 1 - y[[0, 39]]
    run, data = made(([[1.0]], [[0.0]]), train=line(*x, y=y), dev=line(*x, y=y))
    likely = np.tile(np.where(x > 0, 0.95, 0.05), 2)
    monkeypatch.setattr(
        "chainrule.strategy.label_errors.cross_fitted",
        lambda *a, **k: np.stack([1 - likely, likely], axis=1),
    )
    dev = find_label_errors(data, run).parts["dev"]
    assert (dev.mistakes, dev.doubtful, dev.doubtful_mistakes) == (2, 2, 2)
    text = find_label_errors(data, run).text()
    assert "dev: 2 of 2 mistakes have a wrong or ambiguous label (100%)" in text
    estimate = "about 4 of 80 labels of line are wrong or ambiguous (5.0%; 95 % interval 0 to 10)"
    assert estimate in text
    assert "with two classes, wrong labels and overlapping classes cannot be distinguished" in text
    assert "are probably wrong" not in text
    assert "doubtful" not in text


def test_unpredictable_labels_give_no_estimate(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(60), np.arange(60) % 2
    likely = rng.uniform(size=60)
    monkeypatch.setattr(
        "chainrule.strategy.label_errors.cross_fitted",
        lambda *a, **k: np.stack([1 - likely, likely], axis=1),
    )
    _, data = made(([[1.0]], [[0.0]]), train=line(*x, y=y))
    found = find_label_errors(data)
    assert (found.noise.kind, found.noise.low) == ("unknown", 0)
    assert "not significantly more than always guessing the most frequent class" in found.text()
    assert "wrong labels cannot be detected" in found.text()
    assert "are probably wrong" not in found.text()


def test_the_csv_table(found):
    lines = found[0].csv().splitlines()
    assert lines[0] == "row,part,label,taken for,sure,p(label)"
    assert len(lines) == 1 + len(found[0].listed)


def test_regression_is_refused():
    _, data = made(([[1.0]], [[0.0]]), train=line(*range(20), y=np.arange(20) + 0.5))
    with pytest.raises(OptionError, match="expected a classification target; got a numeric target"):
        find_label_errors(data)
