"""Types of labels, of numbers and of X: the same clips give the same answers."""

import copy
import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stf2m_sk import Views, ViewSchema

SCHEMA = {
    "skin": {"n_channels": 1, "n_timesteps": 12, "rate": 4.0},
    "heart": {"n_channels": 2, "n_timesteps": 12, "rate": 4.0},
}

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
        classifier.partial_fit(arrays.X[:2], np.array([1, 2], dtype=np.uint64))
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


def forms(X):
    """One recording of a channel of skin and two of the heart in every form of X."""
    parts = {"skin": X[:, :1], "heart": X[:, 1:]}
    flat = X.reshape(len(X), -1)
    return {
        "Views": Views(parts, rates={"skin": 4, "heart": 4}),
        "dict": dict(reversed(parts.items())),
        "list": list(parts.values()),
        "3-D array": X,
        "flat array": flat,
        "DataFrame": pd.DataFrame(flat, columns=[f"value {i}" for i in range(36)]),
        "list of rows": flat.tolist(),
    }


FORMS = list(forms(np.zeros((1, 3, 12))))
AT_FIT = ["Views", "list", "3-D array", "DataFrame", "list of rows"]


@pytest.fixture(scope="module")
def recording():
    generator = np.random.default_rng(2)
    y = np.repeat([0, 1], 10)
    X = generator.normal(size=(20, 3, 12))
    X[10:, 2] += 1.5
    X[3, 0] = np.nan
    X[7, :, 8:] = np.nan
    return forms(X), y


@pytest.fixture(scope="module")
def of_form(recording, quick):
    """A function from the name of a form to a classifier fitted on it."""
    X, y = recording
    return functools.cache(lambda form: quick(schema=SCHEMA).fit(X[form], y))


@pytest.fixture(scope="module")
def answers(of_form, recording):
    """What the classifier fitted on Views says, before and after it has seen a support."""
    X, y = recording
    adapted = of_form("Views").adapt(X["Views"], y)
    return of_form("Views").predict_proba(X["Views"]), adapted.predict_proba(X["Views"])


class TestFormsOfX:
    @pytest.mark.parametrize("to_predict", FORMS)
    @pytest.mark.parametrize("at_fit", AT_FIT)
    @pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
    def test_all_agree(self, of_form, recording, answers, at_fit, to_predict):
        X, y = recording
        classifier = of_form(at_fit)
        assert_array_equal(classifier.predict_proba(X[to_predict]), answers[0])
        adapted = classifier.adapt(X[to_predict], y)
        assert_array_equal(adapted.predict_proba(X[to_predict]), answers[1])

    def test_schema_as_object_or_dict(self, recording, answers, quick):
        X, y = recording
        classifier = quick(schema=ViewSchema.from_dict(SCHEMA)).fit(X["3-D array"], y)
        assert classifier.schema_ == ViewSchema.from_dict(SCHEMA)
        assert_array_equal(classifier.predict_proba(X["3-D array"]), answers[0])

    @pytest.mark.parametrize("form", AT_FIT)
    def test_number_of_features(self, of_form, form):
        assert of_form(form).n_features_in_ == (3 if form == "3-D array" else 36)

    def test_feature_names_are_those_of_the_data_frame(self, of_form, recording):
        names = recording[0]["DataFrame"].columns
        assert_array_equal(of_form("DataFrame").feature_names_in_, names)
        assert not hasattr(of_form("list of rows"), "feature_names_in_")

    @pytest.mark.parametrize("form", ["Views", "list of rows"])
    def test_feature_names_are_forgotten_at_the_next_fit(self, of_form, recording, form):
        X, y = recording
        classifier = copy.copy(of_form("DataFrame")).fit(X[form], y)
        assert not hasattr(classifier, "feature_names_in_")
        assert classifier.n_features_in_ == of_form(form).n_features_in_

    def test_features_without_a_schema(self, quick, arrays):
        X = arrays.X[:, :, 0]
        classifier = quick().fit(X, arrays.y)
        assert classifier.n_features_in_ == 2
        answer = classifier.predict_proba(X)
        assert_array_equal(classifier.predict_proba({"features": X[:, :, None]}), answer)
        assert_array_equal(classifier.predict_proba(pd.DataFrame(X)), answer)
