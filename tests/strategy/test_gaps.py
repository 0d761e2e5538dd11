"""chainrule/strategy/findings.py: the gaps of the notes' examples, and their intervals."""

import pytest

from chainrule.errors import OptionError
from chainrule.strategy.diagnosis import PARTS, diagnosis_of, findings_of
from chainrule.strategy.findings import BIAS, DEV_OVERFITTING, MISMATCH, VARIANCE


def found(errors, sizes=None, reference=None):
    """Return the names of the problems found, the largest first."""
    return [one.name for one in findings_of(errors, sizes, reference) if one.found]


def numbers(*errors):
    """Map errors to train, train-dev, dev and test; None where there is no such set."""
    return {name: e for name, e in zip(PARTS, errors, strict=False) if e is not None}


# by hand


@pytest.mark.parametrize(
    ("errors", "reference", "expected"),
    [
        # the cats of course 3, week 1: the same errors, and people that see more or less
        (numbers(0.08, None, 0.10), 0.01, [BIAS, VARIANCE]),
        (numbers(0.08, None, 0.10), 0.075, [VARIANCE]),
        # the radiologists: a team reaches 0.5 %
        (numbers(0.05, None, 0.06), 0.005, [BIAS, VARIANCE]),
        (numbers(0.01, None, 0.05), 0.005, [VARIANCE]),
        (numbers(0.007, None, 0.008), 0.005, [BIAS, VARIANCE]),
        # the tables of course 3, week 2
        (numbers(0.01, 0.09, 0.10), 0.0, [VARIANCE]),
        (numbers(0.01, 0.015, 0.10), 0.0, [MISMATCH]),
        (numbers(0.10, 0.11, 0.12), 0.0, [BIAS]),
        (numbers(0.10, 0.11, 0.20), 0.0, [BIAS, MISMATCH]),
        (numbers(0.07, 0.10, 0.12, 0.12), 0.04, [BIAS, VARIANCE, MISMATCH]),
        (numbers(0.07, 0.10, 0.06, 0.06), 0.04, [BIAS, VARIANCE]),  # dev is the easier one
        # course 2, week 1
        (numbers(0.01, None, 0.11), 0.0, [VARIANCE]),
        (numbers(0.15, None, 0.16), 0.0, [BIAS]),
        (numbers(0.15, None, 0.30), 0.0, [BIAS, VARIANCE]),
        (numbers(0.005, None, 0.01), 0.0, [BIAS, VARIANCE]),
        (numbers(0.15, None, 0.16), 0.15, []),
        (numbers(0.02, None, 0.03, 0.10), 0.02, [DEV_OVERFITTING]),
    ],
)
def test_the_tables_of_the_notes(errors, reference, expected):
    assert found(errors, reference=reference) == expected


def test_an_interval_by_hand():
    (variance,) = (
        one
        for one in findings_of({"train": 0.0, "dev": 0.1}, {"train": 100, "dev": 100})
        if one.name == VARIANCE
    )
    # Wilson: 0 of 100 is (0, 0.0370), 10 of 100 is (0.0552, 0.1744)
    # low = 0.1 − √(0.0448² + 0.0370²), high = 0.1 + √(0.0744² + 0²)
    assert variance.low == pytest.approx(0.1 - (0.04477**2 + 0.03699**2) ** 0.5, abs=1e-4)
    assert variance.high == pytest.approx(0.1744, abs=1e-4)


# properties


def test_the_same_gap_is_significant_only_with_enough_examples():
    errors = {"train": 0.08, "dev": 0.10}
    assert found(errors, {"train": 100_000, "dev": 20_000}, 0.08) == [VARIANCE]
    assert found(errors, {"train": 1000, "dev": 200}, 0.08) == []


def test_a_small_bias_against_an_assumed_reference_is_not_reported():
    assert found({"train": 0.008, "dev": 0.009}) == [VARIANCE]
    assert found({"train": 0.008, "dev": 0.009}, reference=0.0) == [BIAS, VARIANCE]


def test_dev_stands_for_a_missing_train_dev_and_test_for_a_missing_dev():
    assert [one.name for one in findings_of({"train": 0.0, "dev": 0.1})] == [VARIANCE, BIAS]
    assert found({"train": 0.0, "test": 0.1}) == [VARIANCE]
    assert [one.name for one in findings_of({"dev": 0.1})] == []


# words


def test_the_text():
    text = diagnosis_of({"train": 0.08, "dev": 0.15}, {"train": 500, "dev": 400}, 0.01).text()
    assert (
        text
        == """\
set        examples   error  95 % interval
reference             1.0 %
train           500   8.0 %  5.9 % to 10.7 %
dev             400  15.0 %  11.8 % to 18.8 %

! avoidable bias 7.0 % (4.9 % to 9.7 %): reference 1.0 %, train 8.0 %
! variance 7.0 % (2.8 % to 11.4 %): train 8.0 %, dev 15.0 %

Do next:
  1. a bigger network
  2. train longer
  3. more training data"""
    )


def test_too_few_examples_are_reported():
    made = diagnosis_of({"train": 0.05, "dev": 0.10}, {"train": 40, "dev": 20}, 0.05)
    assert "not significant with so few examples" in made.text()
    assert made.next_steps == (
        "more dev and test examples: these are too few to tell where the error comes from",
    )


def test_sets_of_very_few_examples_have_no_gap():
    errors = {"train": 0.0, "train-dev": 1.0, "dev": 0.0}
    sizes = {"train": 300, "train-dev": 3, "dev": 60}
    made = diagnosis_of(errors, sizes, 0.0)
    assert made.found == ()
    words = {one.name: one.words for one in made.findings}
    assert words[VARIANCE] == "train 0.0 %, train-dev 100.0 %; too few examples to tell"
    assert words[MISMATCH].endswith("dev 0.0 %; too few examples to tell")
    assert made.next_steps == (
        "more train-dev examples: these are too few to tell where the error comes from",
    )
    assert found(errors, sizes | {"train-dev": 10}, 0.0) == [VARIANCE]  # and no negative gap


def test_without_gaps_nothing_is_suggested():
    made = diagnosis_of({"train": 0.05, "dev": 0.05}, reference=0.05)
    assert made.next_steps == ("nothing: no gap between the errors is larger than chance explains",)


def test_an_assumed_reference_is_reported_and_requested():
    made = diagnosis_of({"train": 0.2, "dev": 0.2})
    assert "assumed, since none was given" in made.text()
    assert made.next_steps[0].endswith("pass it with --reference")


def test_errors_that_are_not_shares_are_refused():
    with pytest.raises(
        OptionError, match="errors from 0 to 1 for the sets train, train-dev, dev, test"
    ):
        findings_of({"train": 8.0})
    with pytest.raises(OptionError, match=r"got human 0\.01"):
        findings_of({"human": 0.01})
