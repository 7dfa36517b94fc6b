import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils import murmurhash3_32

from stf2m_sk.recordings import Signal
from stf2m_sk.recordings._words import words

vader = pytest.importorskip("vaderSentiment.vaderSentiment", reason="extra [text] is missing")
LAW = settings(max_examples=30, deadline=None)
WORDS = st.sampled_from(["I", "love", "hate", "this", "Rain", "über", "x", "2", "good", "not"])
SECONDS = st.lists(
    st.one_of(st.none(), st.lists(WORDS, max_size=4).map(" ".join)), min_size=1, max_size=12
)


def text(*seconds, **where):
    values = np.empty((1, len(seconds)), dtype=object)
    values[0] = seconds
    return Signal(values, **{"rate": 1, **where})


@LAW
@given(said=SECONDS, n_features=st.integers(1, 40))
def test_words_are_counted_with_a_sign_at_their_hash(said, n_features):
    found = words(text(*said), n_features=n_features).values[:n_features]
    expected = np.zeros((n_features, len(said)))
    for i, second in enumerate(said):
        if second is None:
            expected[:, i] = np.nan
            continue
        for word in second.lower().split():
            number = murmurhash3_32(word)
            expected[abs(number) % n_features, i] += 1 if number >= 0 else -1
    np.testing.assert_array_equal(found, expected)


@LAW
@given(said=SECONDS, seconds=st.integers(1, 6))
def test_valence_is_vaders_of_what_was_said_lately(said, seconds):
    found = words(text(*said), seconds=seconds).values[-3:]
    analyser = vader.SentimentIntensityAnalyzer()
    for i, second in enumerate(said):
        lately = " ".join(s for s in said[max(0, i - seconds + 1) : i + 1] if s)
        scores = (
            analyser.polarity_scores(lately)
            if lately
            else dict.fromkeys(("compound", "pos", "neg"), 0)
        )
        expected = [scores["compound"], scores["pos"], scores["neg"]]
        np.testing.assert_allclose(
            found[:, i], [np.nan] * 3 if second is None else expected, atol=1e-6
        )


def test_a_sentence_is_felt_for_some_seconds():
    found = words(text("", "I love it", "", "", "", None, "I hate it", start=7.0))
    compound = found.values[found.channels.index("compound")]
    assert compound[0] == 0 and (compound[1:4] > 0.5).all() and compound[4] == 0
    assert np.isnan(found.values[:, 5]).all() and compound[6] < -0.5
    assert (found.rate, found.start, found.n_channels) == (1, 7.0, 35)
    assert not found.values[:, 0].any() and not found.values[:32, 2].any()


def test_seconds_count_in_time_whatever_the_rate():
    found = words(text("great", "", "", "", "", rate=2), seconds=2.0)
    assert (found.values[-3] > 0).tolist() == [True, True, True, True, False]


def test_names_of_channels():
    assert words(text(""), n_features=2).channels == (
        "word 0",
        "word 1",
        "compound",
        "positive",
        "negative",
    )


def test_nothing_in_nothing_out():
    assert words(text()).values.shape == (35, 0)


@pytest.mark.parametrize(
    ("signal", "settings_", "message"),
    [
        (Signal(np.zeros((1, 3)), rate=1), {}, "object array.*given float64"),
        (Signal(np.full((2, 3), "", dtype=object), rate=1), {}, r"shape \(2, 3\)"),
        (text("a", 3, start=10), {}, "given 3 at 11 s"),
        (text("a"), {"n_features": 0}, "n_features must be at least 1, given 0"),
        (text("a"), {"seconds": 0}, "seconds must be above 0, given 0"),
    ],
)
def test_what_is_no_text_is_refused(signal, settings_, message):
    with pytest.raises(ValueError, match=message):
        words(signal, **settings_)


def test_without_vader_the_error_names_the_extra(monkeypatch):
    from stf2m_sk.recordings import _words

    _words._vader.cache_clear()
    monkeypatch.setitem(sys.modules, "vaderSentiment", None)
    with pytest.raises(ImportError, match=r"stf2m_sk\[text\]"):
        words(text("good"))
