"""chainrule/vision/verification/scores.py"""

import numpy as np

from chainrule.vision.verification.scores import Mistake, mistakes_of

# On a line: two of 7 far from each other, three of 8, one of 9 between the two of 7.
E = np.array([[0.0], [3.0], [5.0], [5.5], [6.0], [1.0]])
WHOSE = np.array([7, 7, 8, 8, 8, 9])


def test_the_worst_of_each_kind_by_hand():
    found = mistakes_of(E, WHOSE, 4.5)
    # within 4.5: 1 and 2 (D = 4), 0 and 5 (1), 1 and 5 (4, the same two identities again)
    assert found.false_accepts == [Mistake(0, 5, 1.0, False), Mistake(1, 2, 4.0, False)]
    assert found.false_rejects == [Mistake(0, 1, 9.0, True)]
    assert (found.accepted, found.rejected, found.strangers, found.own) == (3, 1, 11, 4)


def test_a_pair_at_the_threshold_is_accepted_and_few_are_listed():
    found = mistakes_of(E, WHOSE, 1.0)
    assert found.accepted == 1
    strict = mistakes_of(E, WHOSE, 0.0, most=1)
    assert (strict.rejected, strict.false_rejects) == (4, [Mistake(0, 1, 9.0, True)])
    both = mistakes_of(E, WHOSE, 0.0).false_rejects
    assert both == [Mistake(0, 1, 9.0, True), Mistake(2, 4, 1.0, True)]


def test_mistakes_with_another_distance():
    found = mistakes_of(E, WHOSE, 2.0, lambda A, B: np.abs(A - B.T))
    assert found.false_accepts == [Mistake(0, 5, 1.0, False), Mistake(1, 2, 2.0, False)]
    assert found.false_rejects == [Mistake(0, 1, 3.0, True)]
