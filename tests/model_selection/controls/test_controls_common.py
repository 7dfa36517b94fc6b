"""What all controls share: scikit-learn's checks, clones, every form of X, metadata."""

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from stf2m_sk.model_selection import (
    MajorityControl,
    NearestInTimeControl,
    PopulationOnly,
    ShuffledLabels,
    StimulusPriorControl,
)
from stf2m_sk.views import Views

LABELS = np.array(["calm", "fear", "joy"])


def blank(n):
    """X without any information."""
    return np.zeros((n, 1))


class TestScikitLearn:
    @pytest.mark.parametrize(
        ("control", "n_checks"),
        [
            (MajorityControl(), 44),
            (NearestInTimeControl(), 44),
            (PopulationOnly(LogisticRegression()), 54),
            (ShuffledLabels(LogisticRegression(), random_state=0), 54),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_common_checks(self, control, n_checks):
        rows = check_estimator(control, on_skip=None, on_fail="raise")
        assert sum(row["status"] == "passed" for row in rows) >= n_checks

    @pytest.mark.parametrize(
        "control",
        [
            MajorityControl(),
            NearestInTimeControl(),
            StimulusPriorControl(),
            ShuffledLabels(LogisticRegression(), random_state=0),
            PopulationOnly(LogisticRegression()),
        ],
        ids=lambda control: type(control).__name__,
    )
    def test_clone_and_pickle(self, control):
        y = np.repeat(LABELS, 4)
        X = np.random.default_rng(0).normal(size=(12, 2))
        more = {"contexts": y} if isinstance(control, StimulusPriorControl) else {}
        control = clone(control).fit(X, y, **more)
        again = pickle.loads(pickle.dumps(control))
        np.testing.assert_array_equal(
            again.predict_proba(X, **more), control.predict_proba(X, **more)
        )
        assert not hasattr(clone(control), "classes_")

    @pytest.mark.parametrize(
        "X",
        [
            np.zeros((6, 2, 9)),
            {"eda": np.full((6, 1, 9), np.nan), "hr": np.zeros((6, 1, 3))},
            [np.zeros((6, 1, 9)), np.zeros((6, 1, 3))],
            Views({"eda": np.zeros((6, 1, 9)), "hr": np.zeros((6, 1, 3))}),
        ],
        ids=["array", "dict", "list", "Views"],
    )
    def test_every_form_of_X(self, X):
        y = np.repeat(LABELS, [1, 2, 3])
        majority = MajorityControl().fit(X, y)
        assert majority.adapt(X, y).predict(X).tolist() == ["joy"] * 6
        stimulus = StimulusPriorControl().fit(X, y, contexts=y)
        assert stimulus.adapt(X, y).predict(X, contexts=y).tolist() == y.tolist()
        times = np.arange(6)
        nearest = NearestInTimeControl().fit(X, y).adapt(X, y, times=times)
        assert nearest.predict(X, times=times).tolist() == y.tolist()
        shuffled = ShuffledLabels(MajorityControl(), random_state=0).fit(X, y).adapt(X, y)
        assert shuffled.predict(X).tolist() == ["joy"] * 6
        only = PopulationOnly(MajorityControl()).fit(X, y).adapt(X, y)
        assert only.predict(X).tolist() == ["joy"] * 6

    def test_metadata_reach_the_stimulus_prior_in_cross_validation(self):
        contexts = np.tile(["kitten", "snake"], 20)
        y = np.tile(["joy", "fear"], 20)
        groups = np.repeat(np.arange(10), 4)
        with sklearn.config_context(enable_metadata_routing=True):
            control = StimulusPriorControl().set_fit_request(contexts=True, groups=False)
            control = control.set_predict_request(contexts=True, groups=False)
            control = control.set_score_request(sample_weight=False)
            scores = cross_val_score(
                control,
                blank(40),
                y,
                cv=GroupKFold(5),
                scoring=_accuracy_with_contexts,
                params={"groups": groups, "contexts": contexts},
            )
        assert scores.tolist() == [1.0] * 5


class _AccuracyWithContexts:
    """A scorer that hands the contexts to predict."""

    def __call__(self, estimator, X, y, contexts):
        return np.mean(estimator.predict(X, contexts=contexts) == y)

    def get_metadata_routing(self):
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=self)
        request.score.add_request(param="contexts", alias=True)
        return request


_accuracy_with_contexts = _AccuracyWithContexts()
