"""Whatever a verb is given: an error that is documented and changes nothing, or probabilities."""

import copy
import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stf2m_sk import STF2MClassifier, Views

pytestmark = pytest.mark.filterwarnings("ignore::stf2m_sk.doubt.UnlikeClipsWarning")

DOCUMENTED = (ValueError, TypeError)  # NotFittedError is a ValueError
N_EXAMPLES = int(os.environ.get("STF2M_FUZZ_EXAMPLES", "40"))  # of each verb

TINY = {"n_networks": 0, "n_kernels": 4, "random_state": 0}

USUAL_VALUES = st.one_of(
    st.floats(-3, 3, width=16),
    st.sampled_from([0.0, 1.0, np.nan, 1e-300, 1e-40, 1e6, 1e19, 3e38]),
)
VALUES = st.sampled_from([1e39, 1e155, 1e308, np.inf, np.nan])
DTYPES = [*["float64", "float32"] * 6, "float16", "int8", "int64", "bool", "object", "complex"]
WORDS = ["calm", "tense", "awe", "", " calm", "Calm", "calm\0", "é"]
LABELS = {
    "words": st.sampled_from(WORDS),
    "few words": st.sampled_from(WORDS[:2]),
    "numbers": st.integers(-2, 2),
    "large numbers": st.sampled_from([0, 1, 2**53, 2**53 + 1, 2**63, 2**70, -(2**63)]),
    "floats": st.sampled_from([0.0, -0.0, 1.0, 2.0, 1e300, 0.5, np.nan, np.inf]),
    "truth values": st.booleans(),
    "anything": st.sampled_from(["calm", 1, True, None, np.nan, 1.0, 2, b"x", (1, 2)]),
    "rows": st.lists(st.integers(0, 1), min_size=2, max_size=2),
}
FORMS = ["3-D", "2-D", "flat", "dict", "list", "Views"]


@st.composite
def signals(draw, n_clips, n_channels, most_steps=5):
    """An array of clips: usual values in general, with some that are not."""
    shape = (n_clips, n_channels, draw(st.integers(0 if draw(rarely()) else 1, most_steps)))
    generator = np.random.default_rng(draw(st.integers(0, 3)))
    X = generator.normal(size=shape)
    for _ in range(draw(st.integers(0, 4))):
        where = [draw(st.one_of(st.none(), st.integers(0, max(0, size - 1)))) for size in shape]
        key = tuple(slice(None) if i is None else slice(i, i + 1) for i in where)
        X[key] = draw(VALUES if draw(rarely()) else USUAL_VALUES)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return X.astype(draw(st.sampled_from(DTYPES)))


def rarely():
    """True one time in twelve."""
    return st.integers(0, 11).map(lambda i: i == 7)


@st.composite
def clips(draw, n_clips, n_channels=None):
    """X of any form."""
    channels = draw(st.integers(1, 3)) if n_channels is None or draw(rarely()) else n_channels
    X = draw(signals(n_clips, channels))
    usual = ["3-D", "list", "Views"] if n_channels else FORMS
    form = draw(st.sampled_from(FORMS if draw(rarely()) else usual))
    if form == "2-D":
        return X[:, :, 0] if X.shape[2] else X
    if form == "flat":
        return X.reshape(len(X), -1) if X.size else X
    if form == "list":
        return X.tolist()
    if form == "dict":
        return {"signal": X, draw(st.sampled_from(["pulse", "skin"])): X[:, :1]}
    if form == "Views":
        try:
            return Views({"signal": X})
        except DOCUMENTED:
            return X
    return X


@st.composite
def labels(draw, n_clips, matching=None):
    """One label a clip, in general: of one kind, or any."""
    usual = ["few words", "numbers"] if matching is None else [matching]
    kind = LABELS[draw(st.sampled_from([*LABELS] if draw(rarely()) else usual))]
    size = draw(st.integers(0, 9)) if draw(rarely()) else n_clips
    values = draw(st.lists(kind, min_size=size, max_size=size))
    if draw(st.booleans()):
        return values
    plain = np.empty(len(values), dtype=object)
    plain[:] = values
    return plain


@st.composite
def groups(draw, n_clips):
    """People, some of them of mixed types; None half of the time."""
    if draw(st.booleans()):
        return None
    names = draw(
        st.sampled_from(
            [[1, "ann", 2.5], [1, None, np.nan]]
            if draw(rarely())
            else [[1, 2, 3], ["ann", "bob"], [0.5, 1.5], ["ann"]]
        )
    )
    size = draw(st.integers(0, 9)) if draw(rarely()) else n_clips
    return draw(st.lists(st.sampled_from(names), min_size=size, max_size=size))


def check_probabilities(classifier, X):
    """Finite, none below 0, rows sum to 1, a column for each class, and labels are the largest."""
    probabilities = classifier.predict_proba(X)
    assert probabilities.shape[1] == len(classifier.classes_)
    assert len(set(classifier.classes_.tolist())) == len(classifier.classes_)
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=0, atol=1e-5)
    assert classifier.predict(X).tolist() == [
        classifier.classes_.tolist()[i] for i in probabilities.argmax(axis=1)
    ]


def answers_or_refuses(state_of, classifier, do, X):
    """The law. `do` gives the classifier that answers."""
    before = state_of(classifier)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning)
            answering = do()
    except DOCUMENTED as error:
        assert str(error)
        assert state_of(classifier) == before
        return
    check_probabilities(answering, X)


fuzz = settings(
    max_examples=N_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def population(arrays):
    """Fitted classifiers of text and of numbers, to start from."""
    X = arrays.X[:, :, :5]
    numbers = np.repeat([0, 1], 12)
    return [
        STF2MClassifier(**TINY, n_patterns=8).fit(X, arrays.y, groups=np.tile([0, 1, 2], 8)),
        STF2MClassifier(**TINY, n_patterns=0).fit(X, numbers),
    ]


N_CLIPS = st.one_of(st.integers(2, 16), st.integers(2, 16), st.integers(0, 3))
KINDS = ["few words", "numbers"]  # of the labels of each population
N_PATTERNS = st.sampled_from([0, 0, 8])


class TestAnyInput:
    @fuzz
    @given(data=st.data(), n_clips=N_CLIPS, n_patterns=N_PATTERNS)
    def test_of_fit(self, state_of, data, n_clips, n_patterns):
        X, y, people = (data.draw(make(n_clips)) for make in (clips, labels, groups))
        classifier = STF2MClassifier(**TINY, n_patterns=n_patterns)
        answers_or_refuses(state_of, classifier, lambda: classifier.fit(X, y, groups=people), X)

    @fuzz
    @given(data=st.data(), n_clips=N_CLIPS, n_patterns=N_PATTERNS)
    def test_of_a_first_partial_fit(self, state_of, data, n_clips, n_patterns):
        X, y = (data.draw(make(n_clips)) for make in (clips, labels))
        classes = data.draw(st.one_of(st.none(), labels(3)))
        classifier = STF2MClassifier(**TINY, n_patterns=n_patterns)
        answers_or_refuses(state_of, classifier, lambda: classifier.partial_fit(X, y, classes), X)

    @fuzz
    @given(data=st.data(), n_clips=N_CLIPS, which=st.integers(0, 1))
    def test_of_partial_fit(self, state_of, population, data, n_clips, which):
        X, y = data.draw(clips(n_clips, 2)), data.draw(labels(n_clips, KINDS[which]))
        classes = data.draw(st.one_of(st.none(), labels(3, KINDS[which])))
        classifier = copy.copy(population[which])
        answers_or_refuses(state_of, classifier, lambda: classifier.partial_fit(X, y, classes), X)

    @fuzz
    @given(data=st.data(), n_clips=N_CLIPS, which=st.integers(0, 1))
    def test_of_adapt(self, state_of, population, data, n_clips, which):
        X, y = data.draw(clips(n_clips, 2)), data.draw(labels(n_clips, KINDS[which]))
        given = {
            "unlabelled": data.draw(st.one_of(st.none(), clips(3, 2))),
            "classes": data.draw(st.one_of(st.none(), labels(4, KINDS[which]))),
        }
        if data.draw(rarely()):
            X = y = None
        classifier, before = population[which], state_of(population[which])
        seen = given["unlabelled"] if X is None else X
        answers_or_refuses(state_of, classifier, lambda: classifier.adapt(X, y, **given), seen)
        assert state_of(classifier) == before

    @fuzz
    @given(data=st.data(), n_clips=N_CLIPS, which=st.integers(0, 1))
    def test_of_prediction(self, state_of, population, data, n_clips, which):
        X = data.draw(clips(n_clips, 2))

        def do():
            population[which].predict_proba(X)
            return population[which]

        answers_or_refuses(state_of, population[which], do, X)
