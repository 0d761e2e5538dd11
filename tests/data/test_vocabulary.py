"""chainrule/data/vocabulary.py: characters as token ids, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.vocabulary import Vocabulary, check_texts
from chainrule.errors import DataError

TEXTS = st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=5)


def test_ids_by_hand():
    vocabulary = Vocabulary.learn(["ba", "c"])
    assert vocabulary.characters == "abc"
    assert vocabulary.encode(["cab", "x"]).values.tolist() == [[3, 1, 2], [0, 0, 0]]
    assert (len(vocabulary), vocabulary.end, vocabulary.start, vocabulary.size) == (4, 4, 5, 6)


@given(TEXTS)
def test_known_texts_come_back(texts):
    vocabulary = Vocabulary.learn(texts)
    X = vocabulary.encode(texts)
    assert [vocabulary.decode(ids) for ids in X] == texts
    assert X.lengths.tolist() == list(map(len, texts))
    assert X.values.max() < len(vocabulary)


def test_rare_characters_are_left_out():
    assert Vocabulary.learn(["aab", "ac", "a"], fewest=2).characters == "a"
    assert Vocabulary.learn(["ab", "b"], fewest=2).unknown(["abc"]) == "ac"


def test_the_marks_have_no_text():
    vocabulary = Vocabulary("xy")
    assert vocabulary.decode([vocabulary.start, 1, 2, vocabulary.end, 0]) == "xy�"


def test_characters_beyond_16_bits():
    vocabulary = Vocabulary.learn(["a🦊"])
    assert vocabulary.encode(["🦊a"]).values.tolist() == [[2, 1]]


@pytest.mark.parametrize("saved", ["", "ba", "aa"])
def test_a_damaged_vocabulary_is_refused(saved):
    with pytest.raises(DataError) as caught:
        Vocabulary.from_saved(saved, "the vocabulary")
    assert str(caught.value) == (
        "the vocabulary: expected characters in the order of their code points, each once; got "
        f"{saved!r}."
    )


def test_an_empty_text_is_refused():
    with pytest.raises(DataError) as caught:
        check_texts(["a", "", "b", ""], "names.csv")
    assert str(caught.value) == (
        "names.csv: expected at least one character in each text; got 2 empty texts, the first in "
        "row 1.\nTry leaving those rows out."
    )


def test_ids_are_whole_numbers_of_32_bits():
    assert Vocabulary("a").ids("ab").dtype == np.int32
