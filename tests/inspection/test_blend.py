"""blend: memberships of the strongest emotions, against what annotators' shares are."""

import numpy as np
import pytest
from scipy import stats

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.inspection import blend


class Fixed:
    """A classifier with given probabilities."""

    def __init__(self, probabilities, classes):
        self.probabilities, self.classes_ = np.array(probabilities), np.array(classes)

    def predict_proba(self, X):
        return self.probabilities


def test_the_three_strongest_sum_to_one():
    told = Fixed([[0.1, 0.4, 0.2, 0.3], [0.25, 0.25, 0.25, 0.25]], ["a", "b", "c", "d"])
    found = blend(told, None)
    assert found.columns.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_allclose(found.loc[0], [0, 4 / 9, 2 / 9, 3 / 9])
    np.testing.assert_allclose(found.loc[1], [1 / 3, 1 / 3, 1 / 3, 0])


@pytest.mark.parametrize("n", [2, 3])
def test_few_emotions_keep_their_probabilities(n):
    probabilities = np.arange(1.0, n + 1) / np.arange(1.0, n + 1).sum()
    np.testing.assert_allclose(blend(Fixed([probabilities], range(n)), None).loc[0], probabilities)


def test_memberships_are_closer_to_annotators_shares_than_the_answer_alone():
    """Log score against the shares, less that of the answer alone, over new people."""
    data = make_emotion_views(n_people=30, ambiguity=1.0, spatial=2.0, random_state=0)
    people = np.unique(data.groups)
    new = np.isin(data.groups, people[20:])
    classifier = STF2MClassifier(n_networks=0, n_kernels=100, random_state=0)
    classifier.fit(data.views[~new], data.target[~new], groups=data.groups[~new])
    memberships = blend(classifier, data.views[new]).to_numpy()
    answer = np.eye(4)[memberships.argmax(axis=1)]
    shares = data.ambiguity[new]

    def log_score(values):
        # Every emotion keeps a hundredth, so that no score is infinite.
        return (shares * np.log(0.96 * values + 0.01)).sum(axis=1)

    gained = log_score(memberships) - log_score(answer)
    by_person = [gained[data.groups[new] == person].mean() for person in people[20:]]
    low, _ = stats.t.interval(
        0.95, len(by_person) - 1, loc=np.mean(by_person), scale=stats.sem(by_person)
    )
    assert low > 0
