"""Soft labels: shares of several annotators, taken as the model's targets."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp
from sklearn.model_selection import GroupKFold

from stf2m_sk import load
from stf2m_sk.datasets import make_emotion_views

QUICK_NETWORKS = {"n_networks": 2, "hidden_dim": 8, "max_epochs": 3}


def one_hot(target):
    names, codes = np.unique(target, return_inverse=True)
    return np.eye(len(names))[codes]


def mixed(target, seed=0):
    """Shares of which the label's own is the largest."""
    shares = np.random.default_rng(seed).dirichlet(np.ones(3), size=len(target))
    return 0.6 * one_hot(target) + 0.4 * shares


@pytest.mark.parametrize("parameters", [{}, QUICK_NETWORKS], ids=["rules", "networks"])
def test_one_hot_shares_are_labels(quick, people, parameters):
    plain = quick(**parameters).fit(people.views, people.target, groups=people.groups)
    soft = quick(**parameters).fit(
        people.views, people.target, groups=people.groups, soft_labels=one_hot(people.target)
    )
    expected = plain.predict_proba(people.new_views)
    np.testing.assert_array_equal(soft.predict_proba(people.new_views), expected)
    given = people.new_views[:4], people.new_target[:4]
    shares = pd.DataFrame(one_hot(people.target)).set_axis(np.unique(people.target), axis=1)
    own = shares.loc[[list(people.target).index(label) for label in given[1]]]
    np.testing.assert_array_equal(
        soft.adapt(*given, soft_labels=own.to_numpy()).predict_proba(people.new_views),
        plain.adapt(*given).predict_proba(people.new_views),
    )


def test_columns_of_a_table_may_come_in_any_order(fitted, people):
    given = people.new_views[:4], people.new_target[:4]
    shares = mixed(people.target)[:4]
    names = np.unique(people.target)
    y = names[shares.argmax(axis=1)]
    table = pd.DataFrame(shares, columns=names)
    plain = fitted.adapt(given[0], y, soft_labels=shares)
    turned = fitted.adapt(given[0], y, soft_labels=table[names[::-1]])
    np.testing.assert_array_equal(
        plain.predict_proba(people.new_views), turned.predict_proba(people.new_views)
    )


def test_an_emotion_that_has_no_majority_gains_by_its_shares(fitted, people):
    names = np.unique(people.target)
    clips, y = people.new_views[:1], names[:1]
    without = fitted.adapt(clips, y, soft_labels=[[0.6, 0.0, 0.4]]).decision_function(clips)
    with_share = fitted.adapt(clips, y, soft_labels=[[0.6, 0.4, 0.0]]).decision_function(clips)
    assert with_share[0, 1] > without[0, 1]
    assert with_share[0, 2] < without[0, 2]


def test_shares_predict_shares_better_than_majorities(quick):
    """On people left out, by the log score against the true shares: its interval is above 0."""
    data = make_emotion_views(
        n_people=20, n_clips_per_emotion=6, n_emotions=3, ambiguity=0.8, random_state=0
    )
    shares = data.ambiguity
    y = np.unique(data.target)[shares.argmax(axis=1)]
    gains = np.empty(len(y))
    for known, new in GroupKFold(4).split(y, y, data.groups):
        score = {}
        for name, soft in (("majorities", None), ("shares", shares[known])):
            classifier = quick(n_kernels=24, n_patterns=16)
            given = data.views[known], y[known]
            classifier.fit(*given, groups=data.groups[known], soft_labels=soft)
            logs = classifier.predict_log_proba(data.views[new])
            score[name] = (shares[new] * logs).sum(axis=1)
        gains[new] = score["shares"] - score["majorities"]
    of_people = [gains[data.groups == person].mean() for person in np.unique(data.groups)]
    assert ttest_1samp(of_people, 0.0).confidence_interval(0.95).low > 0


def test_saved_and_loaded(fitted, people, tmp_path):
    names = np.unique(people.target)
    shares = mixed(people.target)[:5]
    person = fitted.adapt(people.new_views[:5], names[shares.argmax(axis=1)], soft_labels=shares)
    person.save(tmp_path / "person")
    loaded = load(tmp_path / "person")
    expected = person.predict_proba(people.new_views)
    np.testing.assert_array_equal(loaded.predict_proba(people.new_views), expected)
    more = people.new_views[5:7], people.new_target[5:7]
    np.testing.assert_array_equal(
        loaded.partial_fit(*more).predict_proba(people.new_views),
        person.partial_fit(*more).predict_proba(people.new_views),
    )


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda P: P[:, :2], r"a column for each of the labels \[.*got shape"),
            (lambda P: P[1:], "a row for each of"),
            (lambda P: 2 * P, "1 in sum for each clip; those of clip 0"),
            (lambda P: np.where(np.arange(len(P))[:, None] == 2, np.nan, P), "those of clip 2"),
            (lambda P: P * [2, 1, 1] - [P[0, 0] * 2, 0, 0], "at least 0"),
            (lambda P: np.roll(P, 1, axis=1), "has a larger share"),
            (lambda P: pd.DataFrame(P, columns=["a", "b", "c"]), "columns of soft_labels"),
        ],
    )
    def test_at_fit(self, quick, people, change, message):
        with pytest.raises(ValueError, match=message):
            quick().fit(people.views, people.target, soft_labels=change(mixed(people.target)))

    def test_at_adapt_without_clips(self, fitted, people):
        with pytest.raises(TypeError, match="soft_labels are of the clips in X"):
            fitted.adapt(unlabelled=people.new_views, soft_labels=mixed(people.target))


def test_shares_that_cannot_be_written_to_are_taken_without_a_warning(quick, people):
    shares = one_hot(people.target)
    shares.flags.writeable = False  # as pandas hands out its values
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*not writable")
        quick().fit(people.views, people.target, groups=people.groups, soft_labels=shares)
    assert not shares.flags.writeable
