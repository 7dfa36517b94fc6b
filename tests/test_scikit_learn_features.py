"""Plain features in scikit-learn's tools that choose columns, and what shows itself as a table."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.feature_selection import RFE, SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch, estimator_html_repr

from stf2m_sk.encoding import SpatioTemporalEncoder
from stf2m_sk.fuzzy import FuzzyRuleTransformer
from stf2m_sk.preprocessing import ViewResampler, ViewScaler, ViewSelector

FOLDS = StratifiedKFold(2)
NAMES = ["noise", "heart rate", "skin", "more noise", "flat"]
INFORMATIVE = [1, 2]


@pytest.fixture(scope="module")
def table():
    """Five features of 40 clips, of which two together tell three states."""
    generator = np.random.default_rng(4)
    y = np.tile([0, 1, 2, 2], 10)
    X = generator.normal(size=(40, 5))
    X[:, 1] += 4 * (y == 1)
    X[:, 2] += 4 * (y == 2)
    X[:, 4] = 7.0
    return Bunch(X=X, y=y)


def sensitivity(fitted):
    """How much the answer moves with each feature, one at a time: what RFE can ask for."""
    steps = 2 * np.eye(fitted.n_features_in_)
    return np.abs(fitted.predict_proba(steps) - fitted.predict_proba(-steps)).sum(axis=1)


class TestChoiceOfFeatures:
    def test_recursive_elimination_with_an_importance_getter(self, table, quick):
        model = quick(n_kernels=50)
        tool = RFE(model, n_features_to_select=2, importance_getter=sensitivity)
        tool.fit(table.X, table.y)
        # One after the other, by hand.
        left = list(range(5))
        for rank in (4, 3, 2):
            fitted = clone(model).fit(table.X[:, left], table.y)
            gone = left.pop(int(np.argmin(sensitivity(fitted))))
            assert tool.ranking_[gone] == rank
        assert np.flatnonzero(tool.support_).tolist() == left
        assert INFORMATIVE[0] in left
        expected = clone(model).fit(table.X[:, left], table.y).predict_proba(table.X[:, left])
        assert_array_equal(tool.predict_proba(table.X), expected)

    def test_sequential_selection(self, table, quick):
        X, y = table.X[:, :3], table.y
        model = quick(n_kernels=20)
        tool = SequentialFeatureSelector(
            model, n_features_to_select=2, cv=FOLDS, scoring="neg_log_loss"
        ).fit(X, y)

        def score(*columns):
            chosen = X[:, sorted(columns)]
            return cross_val_score(model, chosen, y, cv=FOLDS, scoring="neg_log_loss").mean()

        first = max(range(3), key=score)
        second = max({0, 1, 2} - {first}, key=lambda column: score(first, column))
        assert np.flatnonzero(tool.support_).tolist() == sorted([first, second])
        pipeline = make_pipeline(FrozenEstimator(tool), model).fit(X, y)
        chosen = X[:, sorted([first, second])]
        by_hand = clone(model).fit(chosen, y)
        assert_array_equal(pipeline.predict_proba(X), by_hand.predict_proba(chosen))

    def test_bagging_of_features(self, table, quick):
        bag = BaggingClassifier(quick(), n_estimators=3, max_features=2, random_state=0)
        bag.fit(table.X, table.y)
        parts = []
        for model, rows, columns in zip(
            bag.estimators_, bag.estimators_samples_, bag.estimators_features_, strict=True
        ):
            assert len(columns) == model.n_features_in_ == 2
            again = quick(random_state=model.random_state)  # bagging seeds every member
            X = table.X[:, columns]
            parts.append(again.fit(X[rows], table.y[rows]).predict_proba(X))
        assert_allclose(bag.predict_proba(table.X), np.mean(parts, axis=0), rtol=0, atol=1e-12)
        assert len({tuple(columns) for columns in bag.estimators_features_}) > 1


class TestHtml:
    @pytest.fixture
    def nested(self, lasting):
        before = make_pipeline(ViewSelector(keep=["skin", "pulse"]), ViewScaler())
        return make_pipeline(
            before, SpatioTemporalEncoder(FrozenEstimator(lasting)), FuzzyRuleTransformer()
        )

    def test_names_every_step_of_nested_pipelines(self, nested, quick):
        model = make_pipeline(
            make_pipeline(ViewResampler(rate={"<no-tag>": 4})), quick(n_kernels=7)
        )
        for pipeline in (nested, model):
            html = pipeline._repr_html_()
            for name in _classes_in(pipeline):
                assert name in html
        assert "n_kernels" in html
        assert "<no-tag>" not in html and "&lt;no-tag&gt;" in html

    def test_tells_what_is_fitted(self, nested, people):
        assert "Not fitted" in estimator_html_repr(nested)
        html = estimator_html_repr(nested.fit(people.views, people.target))
        assert "Not fitted" not in html
        assert "Fitted" in html


def _classes_in(pipeline):
    for _, step in pipeline.steps:
        yield type(step).__name__
        if hasattr(step, "steps"):
            yield from _classes_in(step)


TRANSFORMERS = [
    pytest.param(FuzzyRuleTransformer(n_rules=2, random_state=0), id="rules"),
    pytest.param("encoder", id="encoder"),
    pytest.param(ViewScaler(), id="scaler"),
    pytest.param(ViewSelector(), id="selector"),
    pytest.param(ViewResampler(), id="resampler"),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS)
@pytest.mark.parametrize(
    ("container", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)]
)
class TestSetOutput:
    @pytest.fixture
    def fitted(self, transformer, table, quick):
        if transformer == "encoder":
            transformer = SpatioTemporalEncoder(quick())
        return clone(transformer).fit(table.X, table.y)

    def test_makes_a_table_of_the_same_values(self, fitted, table, container, kind):
        plain = fitted.transform(table.X)
        assert type(plain) is np.ndarray
        found = fitted.set_output(transform=container).transform(table.X)
        assert type(found) is kind
        assert list(found.columns) == fitted.get_feature_names_out().tolist()
        assert_array_equal(found.to_numpy(), plain)
        found = fitted.fit_transform(table.X, table.y)
        assert type(found) is kind
        fitted.set_output(transform="default")
        assert_array_equal(fitted.transform(table.X), plain)

    def test_reads_a_table_and_its_names(self, fitted, table, container, kind):
        frame = kind(dict(zip(NAMES, table.X.T, strict=True)))
        fitted = clone(fitted).set_output(transform=container)
        found = fitted.fit_transform(frame, table.y)
        assert type(found) is kind
        assert fitted.feature_names_in_.tolist() == NAMES
        expected = clone(fitted).set_output(transform="default").fit_transform(table.X, table.y)
        # The columns lie otherwise in memory, so that sums may differ in the last bits.
        assert_allclose(found.to_numpy(), expected, rtol=0, atol=1e-12)
        if isinstance(fitted, ViewScaler | ViewSelector | ViewResampler):
            assert list(found.columns) == NAMES
        with pytest.raises(ValueError, match="The feature names should match"):
            fitted.transform(frame[NAMES[::-1]])

    def test_goes_through_a_pipeline(self, fitted, table, container, kind):
        pipeline = make_pipeline(fitted, LogisticRegression(max_iter=500))
        pipeline.set_output(transform=container).fit(table.X, table.y)
        names = pipeline[0].get_feature_names_out().tolist()
        assert pipeline[1].feature_names_in_.tolist() == names
        assert pipeline.score(table.X, table.y) > 0.6


class TestClassifierOnTables:
    @pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
    def test_columns_are_noted_and_compared(self, table, quick, kind):
        frame = kind(dict(zip(NAMES, table.X.T, strict=True)))
        classifier = quick().fit(frame, table.y)
        assert classifier.feature_names_in_.tolist() == NAMES
        by_hand = quick().fit(table.X, table.y)
        assert_array_equal(classifier.predict_proba(frame), by_hand.predict_proba(table.X))
        with pytest.raises(ValueError, match="The feature names should match"):
            classifier.predict(frame[NAMES[::-1]])
