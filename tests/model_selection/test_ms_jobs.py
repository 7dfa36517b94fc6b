"""Jobs change nothing but the time; in one file, so that one pool of processes serves all."""

import numpy as np
import pandas as pd
import sklearn
from joblib import parallel_config
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline

from stf2m_sk.model_selection import (
    FewShotProtocol,
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
SETTINGS = {"protocol": FewShotProtocol(shots=(0, 1, 2), draws=2, random_state=0), "cv": 4}


def assert_same_rows(one, other):
    columns = [name for name in one.rows if not name.endswith("seconds")]
    pd.testing.assert_frame_equal(one.rows[columns], other.rows[columns], check_exact=True)


def test_few_shot_score():
    one = few_shot_score(GaussianNB(), **TABLE, **SETTINGS)
    with parallel_config(n_jobs=2):
        assert_same_rows(one, few_shot_score(GaussianNB(), **TABLE, **SETTINGS))


def test_compare_few_shot(tmp_path):
    pair = {"linear": LogisticRegression(), "Bayes": GaussianNB()}
    one = compare_few_shot(pair, **TABLE, **SETTINGS)
    with parallel_config(n_jobs=2):
        path = tmp_path / "scores.jsonl"
        assert_same_rows(one, compare_few_shot(pair, **TABLE, **SETTINGS, results=path))
    assert_same_rows(one, compare_few_shot(pair, **TABLE, **SETTINGS, results=path))


@sklearn.config_context(enable_metadata_routing=True)
def test_jobs_do_not_matter_in_a_grid_search_over_a_pipeline(people, fitted):
    scaler = ViewScaler().set_fit_request(groups=True).set_transform_request(groups=True)
    pipeline = Pipeline([("scale", scaler), ("clf", FrozenEstimator(fitted))])
    scorer = make_few_shot_scorer(FewShotProtocol(shots=1, on_few="shrink", random_state=0))
    scorer = scorer.set_score_request(groups=True, contexts=True)
    contexts = np.arange(len(people.target)) % 3
    found = []
    for n_jobs in (1, 2):
        search = GridSearchCV(
            pipeline,
            {"scale__scope": ["population", "person"]},
            cv=GroupKFold(2),
            scoring=scorer,
            n_jobs=n_jobs,
            error_score="raise",
            refit=False,
        ).fit(people.views, people.target, groups=people.groups, contexts=contexts)
        results = search.cv_results_
        found.append({key: results[key].tolist() for key in results if "test_score" in key})
    assert found[0] == found[1]
    assert len(found[0]) == 5
