"""No dev or test row changes a trained weight or a normaliser: a few of benchmarks/honesty.py."""

import numpy as np
import pytest
from benchmarks import honesty
from benchmarks.honesty_worlds import WORLDS

from chainrule.runs import prepare
from chainrule.runs.preprocessing import Preprocessor

pytestmark = pytest.mark.usefixtures("float32_world")
FEW = [WORLDS[i] for i in (1, 4, 8)]


def test_no_held_out_row_changes_a_weight(tmp_path):
    found = honesty.run(15, tmp_path, worlds=FEW)
    assert {outcome for *_, outcome in found} <= {"same", "refused"}, honesty.report(found)
    assert sum(outcome == "same" for *_, outcome in found) > 7


def test_a_leak_is_found(tmp_path, monkeypatch):
    """A door that is learned from all parts, as a careless normaliser is."""
    honest = prepare.preprocess_sets

    def careless(sources, labels, normalize):
        data = honest(sources, labels, normalize)
        X = np.concatenate([part.X for part in sources.values()])
        Y = labels.encode(sources["train"].y)
        preprocessor = Preprocessor.learn(X, Y, labels, normalize)
        parts = {name: prepare.examples(preprocessor, part) for name, part in sources.items()}
        return data._replace(preprocessor=preprocessor, parts=parts)

    monkeypatch.setattr(prepare, "preprocess_sets", careless)
    monkeypatch.setattr(honesty, "scaled", careless)
    found = honesty.run(6, tmp_path, worlds=[WORLDS[5]])
    assert any("door, path" in outcome for *_, outcome in found)
    assert "LEAK in one .npz" in honesty.report(found)
