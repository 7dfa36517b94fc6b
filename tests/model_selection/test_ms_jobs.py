"""Jobs change nothing but the time; in one file, so that one pool of processes serves all."""

import numpy as np
import sklearn
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline

from stf2m_sk.model_selection import (
    NewPersonSplit,
    compare_few_shot,
    few_shot_score,
    make_few_shot_scorer,
)
from stf2m_sk.preprocessing import ViewScaler

GENERATOR = np.random.default_rng(0)
TABLE = {
    "X": GENERATOR.normal(size=(96, 2)) + np.tile([[0.0], [1.0]], (48, 1)),
    "y": np.tile(["calm", "joy"], 48),
    "groups": np.repeat(np.arange(8), 12),
}
SETTINGS = {"n_shot": (0, 1, 2), "cv": 4, "n_draws": 2, "random_state": 0}


def assert_same_rows(one, other):
    assert len(one) == len(other)
    for row, same in zip(one, other, strict=True):
        assert row.keys() == same.keys()
        for name in row:
            if not name.endswith("seconds"):
                np.testing.assert_array_equal(row[name], same[name])


def test_few_shot_score():
    one, two = (few_shot_score(GaussianNB(), **TABLE, **SETTINGS, n_jobs=n) for n in (1, 2))
    assert_same_rows(one.rows, two.rows)


def test_compare_few_shot():
    pair = {"linear": LogisticRegression(), "Bayes": GaussianNB()}
    one, two = (compare_few_shot(pair, **TABLE, **SETTINGS, n_jobs=n) for n in (1, 2))
    assert_same_rows(one.rows, two.rows)


@sklearn.config_context(enable_metadata_routing=True)
def test_jobs_do_not_matter_in_a_grid_search_over_a_pipeline(people, fitted):
    scaler = ViewScaler().set_fit_request(groups=True).set_transform_request(groups=True)
    pipeline = Pipeline([("scale", scaler), ("clf", FrozenEstimator(fitted))])
    scorer = make_few_shot_scorer(n_shot=1, on_few="shrink", random_state=0)
    scorer = scorer.set_score_request(groups=True, contexts=True)
    contexts = np.arange(len(people.target)) % 3
    found = []
    for n_jobs in (1, 2):
        search = GridSearchCV(
            pipeline,
            {"scale__scope": ["population", "person"]},
            cv=NewPersonSplit(2, random_state=0),
            scoring=scorer,
            n_jobs=n_jobs,
            error_score="raise",
            refit=False,
        ).fit(people.views, people.target, groups=people.groups, contexts=contexts)
        results = search.cv_results_
        found.append({key: results[key].tolist() for key in results if "test_score" in key})
    assert found[0] == found[1]
    assert len(found[0]) == 5
