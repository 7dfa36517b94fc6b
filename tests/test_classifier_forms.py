"""Types of labels and of numbers: the same clips give the same answers."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

# Three labels of each type, in their order.
LABELS = {
    "text": np.array(["Freude", "émotion", "радость"]),
    "text objects": np.array(["anger", "calm", "joy"], dtype=object),
    "integers": np.array([0, 1, 2]),
    "negative and large integers": np.array([-(2**62), -1, 2**62]),
    "unsigned": np.array([0, 2**63, 2**64 - 1], dtype=np.uint64),
    "whole floats": np.array([-1.0, 0.0, 7.0]),
    "single precision": np.array([-1.0, 0.0, 7.0], dtype=np.float32),
}


class TestLabels:
    @pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
    def test_renaming_in_order_renames_the_answer(self, lasting, quick, people, names):
        codes = np.searchsorted(lasting.classes_, people.target)
        renamed = quick().fit(people.views, names[codes], groups=people.groups)
        assert renamed.classes_.dtype == names.dtype
        assert_array_equal(renamed.classes_, names)
        answer = lasting.predict_proba(people.new_views)
        assert_array_equal(renamed.predict_proba(people.new_views), answer)
        predicted = renamed.predict(people.new_views)
        assert predicted.dtype == names.dtype
        assert_array_equal(predicted, names[answer.argmax(axis=1)])

        new_codes = np.searchsorted(lasting.classes_, people.new_target)
        adapted = renamed.adapt(people.new_views[:5], names[new_codes[:5]], classes=names)
        expected = lasting.adapt(
            people.new_views[:5], people.new_target[:5], classes=lasting.classes_
        )
        answer = expected.predict_proba(people.new_views)
        assert_array_equal(adapted.predict_proba(people.new_views), answer)
        assert adapted.predict(people.new_views).dtype == names.dtype

        renamed.partial_fit(people.new_views[:5], names[new_codes[:5]])
        assert_array_equal(renamed.predict_proba(people.new_views), answer)
        assert renamed.predict(people.new_views).dtype == names.dtype

    def test_bool(self, quick, arrays, fitted_on_array):
        renamed = quick().fit(arrays.X, arrays.y == "tense")
        answer = fitted_on_array.predict_proba(arrays.X)
        assert_array_equal(renamed.predict_proba(arrays.X), answer)
        assert renamed.predict(arrays.X).dtype == bool
        assert renamed.adapt(arrays.X, arrays.y == "tense").predict(arrays.X).dtype == bool

    @pytest.mark.parametrize("form", [list, tuple, pd.Series, pd.Categorical, pd.Index])
    def test_containers(self, lasting, people, form):
        expected = lasting.adapt(people.new_views, people.new_target)
        adapted = lasting.adapt(people.new_views, form(people.new_target))
        assert adapted.classes_.tolist() == expected.classes_.tolist()
        assert_array_equal(
            adapted.predict_proba(people.views), expected.predict_proba(people.views)
        )

    def test_a_column_is_flattened_with_a_warning(self, lasting, people):
        with pytest.warns(UserWarning, match="A column-vector y was passed"):
            lasting.adapt(people.new_views, people.new_target[:, None])

    def test_longer_text_is_not_cut(self, fitted, people):
        name = "an emotion with a longer name than any before"
        with pytest.warns(UserWarning, match=name):
            fitted.partial_fit(people.new_views[:1], [name])
        assert name in fitted.classes_
        adapted = fitted.adapt(people.new_views[:1], ["a"], classes=["a", name])
        assert adapted.classes_.tolist() == ["a", name]

    def test_known_emotions_are_known_as_text_objects(self, lasting, people):
        expected = lasting.adapt(people.new_views, people.new_target)
        adapted = lasting.adapt(people.new_views, people.new_target.astype(object))
        assert_array_equal(
            adapted.predict_proba(people.views), expected.predict_proba(people.views)
        )

    @pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.float64])
    def test_numbers_of_another_type_are_the_same_labels(self, quick, arrays, dtype):
        codes = np.repeat([0, 1], 12)
        classifier = quick().fit(arrays.X, codes)
        expected = classifier.adapt(arrays.X[::2], codes[::2]).predict_proba(arrays.X)
        adapted = classifier.adapt(arrays.X[::2], codes[::2].astype(dtype))
        assert_array_equal(adapted.predict_proba(arrays.X), expected)

    def test_partial_fit_does_not_change_large_integers(self, quick, arrays):
        large = np.repeat([2**53 + 1, 2**60], 12)
        classifier = quick().fit(arrays.X, large)
        new = np.array([1, 2], dtype=np.uint64)
        classifier.partial_fit(arrays.X[:2], new, classes=new)
        assert [int(label) for label in classifier.classes_] == [1, 2, 2**53 + 1, 2**60]


class TestNumbers:
    def test_answer_has_the_dtype_of_the_clips(self, lasting, people):
        single = people.new_views.astype(np.float32)
        adapted = lasting.adapt(single, people.new_target)
        for classifier in (lasting, adapted):
            assert classifier.predict_proba(single).dtype == np.float32
            assert classifier.predict_proba(people.new_views).dtype == np.float64

    def test_single_and_double_precision_agree(self, lasting, people):
        single = people.new_views.astype(np.float32)
        double = single.astype(np.float64)
        adapted = lasting.adapt(double, people.new_target)
        for classifier in (lasting, adapted, lasting.adapt(single, people.new_target)):
            answer = classifier.predict_proba(double)
            assert_allclose(classifier.predict_proba(single), answer, rtol=0, atol=1e-4)
        assert_allclose(
            lasting.adapt(single, people.new_target).predict_proba(double),
            adapted.predict_proba(double),
            rtol=0,
            atol=1e-4,
        )

    @pytest.mark.parametrize(
        ("dtype", "expected"),
        [
            (np.int8, np.float32),
            (np.int16, np.float32),
            (np.float16, np.float32),
            (np.int64, np.float64),
            (np.uint32, np.float64),
            (bool, np.float32),
            (object, np.float64),
            (">f8", np.float64),
        ],
    )
    def test_other_numbers(self, fitted_on_array, arrays, dtype, expected):
        X = np.abs(arrays.X.round()).astype(dtype)
        answer = fitted_on_array.predict_proba(X)
        assert answer.dtype == expected
        as_float = X.astype(expected)
        assert_array_equal(answer, fitted_on_array.predict_proba(as_float))
        adapted = fitted_on_array.adapt(X, arrays.y)
        assert_array_equal(
            adapted.predict_proba(X), fitted_on_array.adapt(as_float, arrays.y).predict_proba(X)
        )

    def test_read_only_and_strided(self, fitted_on_array, arrays):
        X = np.asfortranarray(np.repeat(arrays.X, 2, axis=0)[::2])
        X.flags.writeable = False
        expected = fitted_on_array.predict_proba(arrays.X)
        assert_array_equal(fitted_on_array.predict_proba(X), expected)
        fitted_on_array.adapt(X, arrays.y)

    def test_masked_is_not_measured(self, fitted_on_array, arrays):
        mask = np.zeros(arrays.X.shape, dtype=bool)
        mask[:, 1, 3:6] = True
        expected = fitted_on_array.predict_proba(np.where(mask, np.nan, arrays.X))
        masked = np.ma.MaskedArray(arrays.X, mask)
        assert_array_equal(fitted_on_array.predict_proba(masked), expected)


class TestFeatures:
    def test_names_are_forgotten_at_the_next_fit(self, quick, arrays):
        frame = pd.DataFrame(arrays.X[:, :, 0], columns=["eda", "pulse"])
        classifier = quick().fit(frame, arrays.y)
        assert classifier.feature_names_in_.tolist() == ["eda", "pulse"]
        classifier.fit(arrays.X[:, :, 0], arrays.y)
        assert not hasattr(classifier, "feature_names_in_")
        assert classifier.n_features_in_ == 2

    def test_without_a_schema(self, quick, arrays):
        X = arrays.X[:, :, 0]
        classifier = quick().fit(X, arrays.y)
        assert classifier.n_features_in_ == 2
        answer = classifier.predict_proba(X)
        assert_array_equal(classifier.predict_proba({"features": X[:, :, None]}), answer)
        assert_array_equal(classifier.predict_proba(pd.DataFrame(X)), answer)
