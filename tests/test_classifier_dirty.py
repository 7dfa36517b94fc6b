"""Clips, labels and people as they come: what every verb makes of them."""

import numpy as np
import pytest

from stf2m_sk import Views

pytestmark = pytest.mark.filterwarnings("ignore::stf2m_sk.doubt.UnlikeClipsWarning")


def named(arguments, cases):
    """Parametrize by a dict of name to case."""
    return pytest.mark.parametrize(arguments, cases.values(), ids=cases)


def answer(classifier, X, verb, y):
    """Probabilities after any verb that reads X; of X itself."""
    if verb == "fit":
        classifier.fit(X, y)
    elif verb == "partial_fit":
        classifier.partial_fit(X, y)
    elif verb == "adapt":
        classifier = classifier.adapt(X, y)
    elif verb == "unlabelled":
        classifier = classifier.adapt(unlabelled=X)
    return classifier.predict_proba(X)


VERBS = ["fit", "partial_fit", "adapt", "unlabelled", "predict"]


def with_spike(X, value):
    X = X.copy()
    X[3, 0, 4] = value
    return X


def with_flat_clip(X):
    X = X.copy()
    X[3] = 0.5
    return X


DIRTY = {
    "spike": lambda X: with_spike(X, 1e6),
    "spike that float32 just holds": lambda X: with_spike(X, 3e38),
    "tiny value": lambda X: with_spike(X, 1e-310),
    "flat line": with_flat_clip,
    "flat channel": lambda X: X * [[1.0], [0.0]],
    "all flat": lambda X: np.full_like(X, 5.0),
    "large offset": lambda X: X + 1e9,
    "duplicated clips": lambda X: np.repeat(X[::6], 6, axis=0),
    "one clip over and over": lambda X: np.repeat(X[:1], len(X), axis=0),
}


class TestSignals:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("verb", VERBS)
    @named("make", DIRTY)
    def test_are_answered(self, quick, arrays, make, verb, dtype):
        classifier = quick().fit(arrays.X, arrays.y)
        probabilities = answer(classifier, make(arrays.X).astype(dtype), verb, arrays.y)
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=0, atol=1e-6)

    def test_a_spike_at_prediction_leaves_the_other_clips_alone(self, fitted_on_array, arrays):
        expected = fitted_on_array.predict_proba(arrays.X)
        found = fitted_on_array.predict_proba(with_spike(arrays.X, 1e6))
        np.testing.assert_array_equal(np.delete(found, 3, 0), np.delete(expected, 3, 0))

    def test_a_value_too_large_for_float32_is_refused_where_float32_is_used(
        self, refuses, fitted_on_array, arrays
    ):
        refuses(
            fitted_on_array,
            ValueError,
            "modality 'signal' holds values too large for float32; scale them first",
            lambda: fitted_on_array.fit(with_spike(arrays.X, 1e39), arrays.y),
        )

    @pytest.mark.parametrize("verb", VERBS[1:])
    def test_a_value_too_large_for_float32_is_answered_in_float64(
        self, fitted_on_array, arrays, verb
    ):
        X = with_spike(arrays.X, 1e39)
        assert np.isfinite(answer(fitted_on_array, X, verb, arrays.y)).all()

    @pytest.mark.parametrize("verb", VERBS)
    def test_ragged_lists_are_refused(self, refuses, fitted_on_array, arrays, verb):
        ragged = [clip[:, : 5 + i % 2].tolist() for i, clip in enumerate(arrays.X)]
        refuses(
            fitted_on_array,
            ValueError,
            "X: cannot be read as a regular array .*; pad shorter clips with NaN to one length",
            lambda: answer(fitted_on_array, ragged, verb, arrays.y),
        )


class TestOneClipWithoutItsAxis:
    def test_of_an_array(self, refuses, fitted_on_array, arrays):
        refuses(
            fitted_on_array,
            ValueError,
            r"If X is one clip of 2 channel\(s\), give it a first axis: X\[None\]",
            lambda: fitted_on_array.predict(arrays.X[0]),
        )
        assert len(fitted_on_array.predict(arrays.X[0][None])) == 1

    def test_other_tables_get_no_such_advice(self, fitted_on_array, arrays):
        with pytest.raises(ValueError, match=r"the flat form of ViewSchema\(signal 2x12\)$"):
            fitted_on_array.predict(arrays.X[:, 0])

    def test_of_a_dict(self, refuses, fitted, people):
        clip = {name: people.new_views[name][0] for name in people.new_views.names}
        refuses(
            fitted,
            ValueError,
            r"modality 'skin': .*; if it is one clip, give it a first axis: array\[None\]",
            lambda: fitted.predict(clip),
        )
        again = Views({name: array[None] for name, array in clip.items()})
        assert len(fitted.predict(again)) == 1


class TestLabels:
    def test_one_clip_of_each_emotion(self, quick, arrays):
        names = [f"emotion {i:02d}" for i in range(24)]
        classifier = quick().fit(arrays.X, names, groups=np.repeat([0, 1], 12))
        assert classifier.classes_.tolist() == names
        assert np.isfinite(classifier.predict_proba(arrays.X)).all()

    def test_people_of_one_emotion(self, quick, arrays):
        classifier = quick().fit(arrays.X, arrays.y, groups=np.repeat(["ann", "bob"], 12))
        assert (classifier.predict(arrays.X) == arrays.y).mean() > 0.9

    @pytest.mark.parametrize("verb", ["fit", "partial_fit", "adapt"])
    @named(
        ("y", "error", "message"),
        {
            "True and 1": ([True, 1] * 12, TypeError, "truth values and other labels; True equals"),
            "True and 1 as objects": (
                np.array([True, 1] * 12, dtype=object),
                TypeError,
                "truth values and other labels; True equals 1",
            ),
            "a list of text and numbers": (["1", 1] * 12, TypeError, "text and numbers, which"),
            "one-hot rows": (
                np.eye(2)[[0, 1] * 12],
                ValueError,
                r"got an array of shape \(24, 2\) instead. If several emotions share a clip, give "
                "the main one and soft_labels",
            ),
            "several labels a clip": (
                [["calm", "sad"], ["tense"]] * 12,
                ValueError,
                "y should be a 1d array, got lists of several lengths. If several emotions share",
            ),
            "sets of labels": ([{"calm"}, {"tense"}] * 12, TypeError, "labels of type set"),
            "regression targets": (
                np.linspace(1, 9, 24),
                ValueError,
                "numbers that are not whole; cut them into classes first",
            ),
        },
    )
    def test_are_refused(self, refuses, fitted_on_array, arrays, verb, y, error, message):
        do = getattr(fitted_on_array, verb)
        refuses(fitted_on_array, error, message, lambda: do(arrays.X, y))


class TestPeople:
    @named(
        ("groups", "error", "message"),
        {
            "a list of text and numbers": ([1, "1"] * 12, TypeError, "1 and '1' might be one"),
            "objects of text and numbers": (
                np.array([1, "ann"] * 12, dtype=object),
                TypeError,
                "groups holds people named in several ways",
            ),
            "True and 1": ([True, 1] * 12, TypeError, "groups holds people named in several ways"),
            "dicts": ([{}] * 24, TypeError, "groups holds dict values, which cannot be sorted"),
            "ragged": ([[1], [1, 2]] * 12, ValueError, "groups holds lists of several lengths"),
        },
    )
    def test_of_mixed_types_are_refused(
        self, refuses, fitted_on_array, arrays, groups, error, message
    ):
        do = fitted_on_array.fit
        refuses(fitted_on_array, error, message, lambda: do(arrays.X, arrays.y, groups=groups))

    def test_whole_and_other_numbers_are_of_one_type(self, quick, arrays):
        one = quick().fit(arrays.X, arrays.y, groups=[1, 2.0, 3] * 8)
        other = quick().fit(arrays.X, arrays.y, groups=["a", "b", "c"] * 8)
        np.testing.assert_array_equal(one.predict_proba(arrays.X), other.predict_proba(arrays.X))


class TestManyNewEmotions:
    def test_are_not_all_named(self, fitted_on_array, arrays):
        names = [f"emotion {i}" for i in range(24)]
        with pytest.warns(UserWarning, match="'emotion 0'.*, and 4 more. They are taken"):
            adapted = fitted_on_array.adapt(arrays.X, names)
        assert len(adapted.classes_) == 26
