"""chainrule/strategy/error_tags.py: the ceiling of each tag, its interval, and misspelt tags."""

import numpy as np
import pytest

from chainrule.strategy.error_analysis import Mistake, Mistakes
from chainrule.strategy.error_tags import analyse_tags, near_equal, spellings
from chainrule.strategy.uncertainty import wilson


def mistakes(n, *, wrong=None, error=0.1, sample="random", task="classification", shares=None):
    """Return n of the `wrong` mistakes of a dev set."""
    wrong = wrong or n
    shares = np.full(n, 1 / wrong) if shares is None else shares
    listed = tuple(Mistake(i, i, 0, 1, 0.9, 1.0, float(s), {}) for i, s in enumerate(shares))
    return Mistakes("dev", "t", "row", task, 10 * wrong, wrong, error, sample, listed)


def test_the_notes_dogs():
    """With 10 % dev error, 5 dogs in 100 mistakes: 9.5 % at best; 50 dogs: 5 %."""
    tags = [["dog"]] * 5 + [["blurry"]] * 50 + [[]] * 45
    blurry, dog = analyse_tags(mistakes(100), tags).ceilings
    assert (dog.tag, dog.count, blurry.count) == ("dog", 5, 50)
    assert dog.error == pytest.approx(0.095)
    assert blurry.error == pytest.approx(0.05)
    assert (dog.low, dog.high) == pytest.approx((0.095, 0.095))  # all mistakes were looked at


def test_a_random_sample_has_wilsons_interval():
    (one,) = analyse_tags(mistakes(100, wrong=1000), [["dog"]] * 20 + [[]] * 80).ceilings
    low, high = wilson(0.2, 100, of=1000)
    assert one.error == pytest.approx(0.08)
    assert (one.low, one.high) == pytest.approx((0.1 * (1 - high), 0.1 * (1 - low)))


def test_the_most_costly_mistakes_only_give_bounds():
    found = analyse_tags(mistakes(10, wrong=40, sample="worst"), [["dog"]] * 5 + [[]] * 5)
    (one,) = found.ceilings
    assert one.error is None
    assert one.share_of_sample == pytest.approx(0.5)
    assert (one.low, one.high) == pytest.approx((0.1 * 5 / 40, 0.1 * 35 / 40))
    assert "--sample random draws a sample that does" in found.text()


def test_in_regression_shares_are_of_the_squared_error():
    shares = np.array([0.75, 0.15, 0.1])
    far = mistakes(3, error=2.0, task="regression", shares=shares)
    one, _ = analyse_tags(far, [["old"], ["new"], ["new"]]).ceilings
    assert (one.tag, one.error) == ("old", pytest.approx(2.0 * np.sqrt(0.25)))


def test_wilson_holds_the_share_in_95_of_100_samples():
    rng = np.random.default_rng(0)
    for share, n, of in ((0.1, 60, 400), (0.4, 100, np.inf), (0.02, 100, 2000)):
        if np.isfinite(of):
            counts = rng.hypergeometric(round(share * of), round((1 - share) * of), n, 4000)
        else:
            counts = rng.binomial(n, share, 4000)
        ends = [wilson(count / n, n, of) for count in counts]
        inside = np.mean([low <= share <= high for low, high in ends])
        assert 0.92 < inside < 0.995


def test_capitals_and_spaces_do_not_distinguish_tags():
    found = analyse_tags(mistakes(4), [["Big Cat"], ["big  cat"], ["big_cat", "big cat"], ["dog"]])
    assert found.ceilings[0].count == 3
    assert set(spellings([["Dog"], ["dog"], ["dog"]]).values()) == {"dog"}


def test_misspelt_tags_are_reported():
    assert near_equal({"mirror": 9, "miror": 2}) == ("'miror' (2) looks like 'mirror' (9)",)
    assert near_equal({"class 1": 9, "class 2": 2, "cat": 3, "car": 1}) == ()


def test_the_text():
    tags = [["dog"]] * 5 + [["dog", "blurry"]] * 45 + [[]] * 50
    assert analyse_tags(mistakes(100, wrong=200), tags).text().splitlines() == [
        "dev error 10.00%; 100 of 200 mistakes, drawn at random",
        "",
        "tag     mistakes  share  dev error if fixed  range",
        "dog           50    50%  10.00% -> 5.00%     4.31% to 5.69%",
        "blurry        45    45%  10.00% -> 5.50%     4.81% to 6.18%",
        "",
        "note: 50 mistakes have no tag; they count as examined",
        "note: some mistakes have several tags, so the shares of the tags overlap",
    ]
