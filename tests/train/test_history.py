"""chainrule/train/history.py"""

import json

from chainrule.train.history import Epoch, History

FIRST = Epoch(1, 0.5, 2.0, 0.25, dev_cost=0.75, metric=0.5)
SECOND = Epoch(2, 0.25, 1.0, 0.5)


def test_costs_in_order():
    history = History([FIRST, SECOND])
    assert history.costs == [0.5, 0.25]
    assert history.dev_costs == [0.75]  # the second epoch was not evaluated on a dev set
    assert (history.best_epoch, history.stopped) == (None, "")


def test_one_json_object_per_line_and_back(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text(History([FIRST, SECOND]).text())
    first, second = map(json.loads, path.read_text().splitlines())
    assert first["dev_cost"] == 0.75
    assert second == {"epoch": 2, "cost": 0.25, "gradient_norm": 1.0, "seconds": 0.5}
    assert History.from_text(path.read_bytes()).epochs == [FIRST, SECOND]


def test_an_empty_history_is_restored(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text(History().text())
    assert path.read_text() == ""
    assert History.from_text(path.read_bytes()).epochs == []


def test_histories_do_not_share_epochs():
    History().epochs.append(FIRST)
    assert History().epochs == []
