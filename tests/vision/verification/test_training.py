"""chainrule/vision/verification/training.py: identities are split, trained on and evaluated."""

from typing import Any

import numpy as np
import pytest

from chainrule.errors import DataError, OptionError
from chainrule.host.randomness import key_from_seed
from chainrule.models.zoo import build
from chainrule.train.loader import ByIdentity
from chainrule.vision.verification.training import (
    IdentitySplit,
    TripletCost,
    check_identity_split,
    evaluate_embeddings,
    measure,
    nearest_is_same,
    sample_identities,
    split_identities,
    train_embedding,
)
from tests.train.faces import people

WHOSE = np.repeat(np.arange(10), 3)[np.random.default_rng(0).permutation(30)]


def test_no_identity_is_in_two_sets_and_no_row_is_lost():
    parts = split_identities(WHOSE, dev=0.2, test=0.3, seed=1)
    assert [len(rows) for rows in parts] == [15, 6, 9]
    assert sorted(np.concatenate(parts)) == list(range(30))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not set(WHOSE[parts[i]]) & set(WHOSE[parts[j]])
    check_identity_split(WHOSE, parts)


def test_a_set_that_is_not_wanted_is_empty():
    parts = split_identities(WHOSE, dev=0, test=0.01)
    assert [len(rows) for rows in parts] == [
        24,
        0,
        6,
    ]  # at least two identities are needed for an evaluation


@pytest.mark.usefixtures("float32_world")
def test_an_embedding_distinguishes_people_not_seen_in_training():
    X, whose = people(24, 6, noise=0.5, seed=1)
    parts = split_identities(whose, dev=0.15, test=0.3, seed=0)
    network = build("embedding", (6, 6, 1), 8, key=key_from_seed(0), options={"width": 0.25})
    done = train_embedding(
        network, X, whose, parts, epochs=10, order=ByIdentity(8, 3), learning_rate=0.01
    )
    assert done.history.best_epoch is not None
    before, after = (measure(one, X, whose, parts) for one in (network, done.network))
    assert list(after) == ["dev", "test"]
    assert after["dev"].threshold == after["test"].threshold
    assert after["test"].equal_error_rate < 0.1 < before["test"].equal_error_rate
    assert after["test"].auc > 0.9
    assert after["test"].accuracy > 0.8
    without = measure(done.network, X, whose, parts._replace(dev=np.array([], int)))
    assert list(without) == ["train", "test"]


def test_of_very_many_images_only_some_identities_are_evaluated(monkeypatch):
    E = np.eye(10)[WHOSE] + 0.1 * np.random.default_rng(0).random((30, 10))
    assert len(sample_identities(WHOSE)) == 30
    rows = sample_identities(WHOSE, most=17)
    assert len(rows) == 15
    assert all((WHOSE[rows] == who).sum() == 3 for who in set(WHOSE[rows]))
    assert len(sample_identities(WHOSE, most=1)) == 6  # two people, however many images that is
    whole = evaluate_embeddings(E, WHOSE)
    assert (whole.equal_error_rate, whole.auc, whole.accuracy) == (0, 1, 1)
    assert (whole.one_shot, whole.ways) == (1, 5)
    some = evaluate_embeddings(E[rows], WHOSE[rows])
    monkeypatch.setattr("chainrule.vision.verification.training.sample_identities", lambda _: rows)
    assert evaluate_embeddings(E, WHOSE) == some


def test_the_settings_that_fit_receives(monkeypatch):
    X, whose = people(8, 3)
    parts = split_identities(whose)
    monkeypatch.setattr(
        "chainrule.vision.verification.training.fit", lambda *what, **how: (what, how)
    )
    monkeypatch.setattr("chainrule.vision.verification.training.adam", lambda rate: rate)
    options = {"epochs": 5, "margin": 0.4, "learning_rate": 0.1, "seed": 3}
    asked: Any = train_embedding(None, X, whose, parts, **options)  # pyright: ignore
    (_, rate, cost, train, dev), how = asked
    assert cost == TripletCost(0.4)
    assert (how["metric"], how["epochs"], how["seed"]) == (nearest_is_same, 5, 3)
    assert (len(train.X), len(dev.X)) == (12, 6)
    steps = ByIdentity().of(train.Y).steps_per_epoch
    assert float(rate(0)) == pytest.approx(0.1)
    assert float(rate(5 * steps)) == pytest.approx(0.005)


def test_a_different_seed_gives_a_different_split():
    tests = {tuple(split_identities(WHOSE, seed=seed).test) for seed in range(5)}
    assert len(tests) > 2


def test_identities_in_two_sets_are_refused():
    X, whose = people(8, 3)
    both = IdentitySplit(np.arange(24), np.arange(6), np.array([], int))
    with pytest.raises(DataError, match="the sets: expected every identity in only one set"):
        train_embedding(None, X, whose, both, epochs=1)  # pyright: ignore
    with pytest.raises(DataError, match="the sets: expected every identity in only one set"):
        measure(None, X, whose, both)  # pyright: ignore


def test_the_error_for_too_little_memory(monkeypatch):
    X, whose = people(8, 3)
    parts = split_identities(whose)
    network = build("embedding", (6, 6, 1), 4, key=key_from_seed(0), options={"width": 0.25})
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 1000)
    with pytest.raises(DataError, match=r"the dev identities: expected at most 1\.00 kB"):
        train_embedding(network, X, whose, parts, epochs=1)


def test_the_error_for_an_identity_in_two_sets():
    rows = np.arange(30)
    known = np.isin(WHOSE, (0, 1, 2))
    parts = IdentitySplit(rows[~known], rows[known | (WHOSE == 3)], np.array([], int))
    with pytest.raises(DataError) as error:
        check_identity_split(WHOSE, parts)
    assert str(error.value) == (
        "the sets: expected every identity in only one set; "
        "got 1 in both the dev and the training set, such as 3.\n"
        "Try split_identities, which keeps them apart."
    )
    parts = IdentitySplit(rows[~known], rows[known], rows[WHOSE == 1])
    with pytest.raises(DataError, match="1 in both the dev and the test set, such as 1"):
        check_identity_split(WHOSE, parts)


def test_the_error_for_too_few_identities():
    with pytest.raises(DataError) as error:
        split_identities(np.repeat(np.arange(5), 2))
    assert str(error.value).startswith(
        "the identities: expected at least 2 for training, besides 2 for dev and 2 for test; "
        "got 5 in"
    )
    with pytest.raises(OptionError, match=r"split_identities\(dev=…\): expected a share"):
        split_identities(WHOSE, dev=1.5)
    with pytest.raises(DataError, match="a single image of 10"):
        split_identities(np.append(WHOSE, 10))
