"""Tidy rows of a result, episode by episode."""

import pytest
from sklearn.base import BaseEstimator, TransformerMixin

EPISODE = ["estimator", "fold", "draw", "shots"]


def _episodes(result, **where):
    """A dict for each episode: its columns, its metrics by name, and recall by class."""
    rows = result.rows
    for name, value in where.items():
        rows = rows[rows[name] == value]
    found = []
    for _, own in rows.groupby([rows[name].map(str) for name in [*EPISODE, "person"]], sort=False):
        first = own.iloc[0].to_dict()
        scores = own[own["metric"] != "recall"]
        recalls = own[own["metric"] == "recall"]
        found.append(
            {name: first[name] for name in first if name not in ("metric", "label", "value")}
            | dict(zip(scores["metric"], scores["value"], strict=True))
            | {"recall": dict(zip(recalls["label"], recalls["value"], strict=True))}
        )
    return found


@pytest.fixture(scope="session")
def episodes_of():
    return _episodes


class Shift(TransformerMixin, BaseEstimator):
    """Subtracts the mean of the clips that it was fitted or adapted to."""

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def adapt(self, X, y=None):
        return Shift().fit(X)

    def transform(self, X):
        return X - self.mean_


@pytest.fixture(scope="session")
def shift():
    return Shift
