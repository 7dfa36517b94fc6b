"""scikit-learn's own tools hold Views like any other X."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.utils import _safe_indexing, check_array, indexable, resample, shuffle

from stf2m_sk.views import Views


class OnViews(ClassifierMixin, BaseEstimator):
    """Logistic regression on the mean of one modality; it insists on Views."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        self.model_ = LogisticRegression(C=self.C).fit(self._means(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(self._means(X))

    @staticmethod
    def _means(X):
        assert isinstance(X, Views)
        return X["eda"].mean(axis=2)


@pytest.fixture
def y():
    return np.repeat([0, 1], 10)


@pytest.fixture
def views(y):
    rng = np.random.default_rng(0)
    eda = rng.normal(size=(20, 2, 5)) + 5 * y[:, None, None]
    return Views({"eda": eda, "clip": np.arange(20.0).reshape(20, 1, 1)}, rates={"eda": 8})


def clip_numbers(views):
    return views["clip"].ravel().astype(int)


def test_train_test_split_keeps_clips_and_labels_together(views, y):
    X_train, X_test, y_train, y_test = train_test_split(views, y, random_state=0, stratify=y)
    assert isinstance(X_train, Views)
    assert (len(X_train), len(X_test)) == (15, 5)
    assert_array_equal(y[clip_numbers(X_train)], y_train)
    assert_array_equal(y[clip_numbers(X_test)], y_test)
    assert X_test.schema == views.schema


@pytest.mark.parametrize(
    "key", [3, np.int64(-1), [4, 0, 4], (1, 2), slice(2, 9, 3), np.arange(20) % 3 == 0, None]
)
def test_safe_indexing_is_indexing_of_the_clips(views, key):
    taken = _safe_indexing(views, key)
    expected = np.arange(20) if key is None else _safe_indexing(np.arange(20), key)
    assert isinstance(taken, Views)
    assert_array_equal(clip_numbers(taken), np.atleast_1d(expected))


def test_folds(views):
    for train, test in KFold(4, shuffle=True, random_state=0).split(views):
        assert_array_equal(clip_numbers(_safe_indexing(views, test)), test)
        assert_array_equal(clip_numbers(_safe_indexing(views, train)), train)


def test_columns_are_refused(views):
    with pytest.raises(TypeError, match=r"use \.select\(\*names\)"):
        _safe_indexing(views, [0, 1], axis=1)


def test_check_array_reads_the_flat_form(views):
    arrays = views.to_dict()
    with_nan = Views(dict(arrays, eda=np.where(arrays["eda"] > 5, np.nan, arrays["eda"])))
    checked = check_array(with_nan, ensure_all_finite="allow-nan")
    assert_array_equal(checked, with_nan.to_flat())
    with pytest.raises(ValueError, match="Input contains NaN"):
        check_array(with_nan)


def test_indexable_leaves_views_alone(views, y):
    assert indexable(views, y)[0] is views
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        indexable(views, y[:-1])


def test_shuffle_and_resample(views, y):
    for tool in (shuffle, resample):
        X, labels = tool(views, y, random_state=0)
        assert isinstance(X, Views)
        assert_array_equal(y[clip_numbers(X)], labels)


def test_cross_validation_of_a_classifier_that_insists_on_views(views, y):
    groups = np.tile(np.arange(5), 4)
    scores = cross_val_score(OnViews(), views, y, groups=groups, cv=GroupKFold(5))
    assert_array_equal(scores, np.ones(5))
    assert_array_equal(cross_val_predict(OnViews(), views, y, cv=5), y)


def test_grid_search(views, y):
    search = GridSearchCV(OnViews(), {"C": [0.1, 1.0]}, cv=2).fit(views, y)
    assert_array_equal(search.predict(views), y)


def test_dummy_classifier_is_right_as_often_as_the_majority(views, y):
    labels = np.where(np.arange(20) % 4 == 0, 1, 0)
    scores = cross_val_score(DummyClassifier(), views, labels, cv=5)
    assert_array_equal(scores, np.full(5, 0.75))


def test_plain_estimators_see_the_flat_form(views, y):
    on_views = LogisticRegression().fit(views, y).decision_function(views)
    flat = views.to_flat()
    on_flat = LogisticRegression().fit(flat, y).decision_function(flat)
    assert_array_equal(on_views, on_flat)
