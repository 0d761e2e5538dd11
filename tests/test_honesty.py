"""A short version of tests/validation/honesty.py: held-out rows change no weight, no normaliser."""

import numpy as np
import pytest

from chainrule.runs import prepare
from chainrule.runs.preprocessing import Preprocessor
from tests.validation import honesty
from tests.validation.honesty_data import CASES

pytestmark = pytest.mark.usefixtures("float32_world")
FEW = [CASES[i] for i in (1, 4, 8)]


def test_no_held_out_row_changes_a_weight(tmp_path):
    found = honesty.run(15, tmp_path, cases=FEW)
    assert {outcome for *_, outcome in found} <= {"same", "refused"}, honesty.report(found)
    assert sum(outcome == "same" for *_, outcome in found) > 7


def test_a_leak_is_found(tmp_path, monkeypatch):
    """A preprocessor learned from all sets, as by a careless normaliser, is reported."""
    honest = prepare.preprocess_sets

    def careless(sources, labels, normalize, options=None):
        data = honest(sources, labels, normalize, options)
        X = np.concatenate([part.X for part in sources.values()])
        Y = labels.encode(sources["train"].y)
        preprocessor = Preprocessor.learn(X, Y, labels, normalize)
        parts = {name: prepare.examples(preprocessor, part) for name, part in sources.items()}
        return data._replace(preprocessor=preprocessor, parts=parts)

    monkeypatch.setattr(prepare, "preprocess_sets", careless)
    monkeypatch.setattr(honesty, "preprocess_sets", careless)
    found = honesty.run(6, tmp_path, cases=[CASES[5]])
    assert any("preprocessor, path" in outcome for *_, outcome in found)
    assert "LEAK in one .npz" in honesty.report(found)
