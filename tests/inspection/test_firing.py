"""Firing: turning a rule round changes nothing, and deviations are those of the posterior."""

import numpy as np
import pytest
import torch

from stf2m_sk.inspection import explain
from stf2m_sk.inspection._firing import firing_of, strengths_of, weight_deviations
from stf2m_sk.inspection._merging import merged
from stf2m_sk.views import as_views


@pytest.fixture(scope="module")
def person(quick, people):
    fitted = quick().fit(people.views, people.target, groups=people.groups)
    return fitted.adapt(
        people.new_views[:5],
        np.where(np.arange(5) == 0, "surprise", people.new_target[:5]),
        unlabelled=people.new_views,
        classes=["surprise", *np.unique(people.target)],
    )


@pytest.fixture(scope="module")
def firing(person, people):
    return firing_of(person.model_, as_views(people.views, person.schema_))


def test_contributions_stay_what_they_were(person, people, firing):
    explanation = explain(person, people.views)
    contributions = firing.strengths[:, :, None] * firing.weights
    contributions = np.nan_to_num(contributions - np.nanmean(contributions, axis=0))
    expected = explanation.deviations[:, :, None] * explanation.weights
    present = explanation.deviations[:, :, None] != 0
    expected = np.where(present, expected, np.nan)
    expected = np.nan_to_num(expected - np.nanmean(expected, axis=0))
    expected = expected * explanation.factors.mean(axis=0)
    np.testing.assert_allclose(contributions, expected, atol=1e-6 * np.abs(expected).max())


def test_rules_that_fire_most_of_the_time_are_turned_round(person, people, firing):
    strengths = strengths_of(person.model_, as_views(people.views, person.schema_))
    is_ramp = np.array([name.kind != "pattern" for name in firing.names])
    assert 0 < firing.is_inverted.sum() < len(is_ramp)
    assert (np.nanmean(firing.strengths[:, is_ramp], axis=0) <= 0.5).all()
    np.testing.assert_array_equal(
        np.where(firing.is_inverted, 1.0 - strengths, strengths), firing.strengths
    )


def test_deviations_against_the_covariance_of_all_weights(person, firing):
    """The posterior of weights and level by their joint precision, class by class."""
    state, n_rules = person.model_.state, len(firing.names)
    chosen = [np.array([0]), np.array([3, 1])]
    found = weight_deviations(person.model_, firing, chosen)
    for column, place in enumerate(state.place.tolist()):
        explained = state.prior.new if place < 0 else state.prior.known
        prior = torch.eye(n_rules + 1, dtype=torch.float64)
        prior[:-1, :-1] -= state.directions @ explained @ state.directions.T
        precision = torch.linalg.inv(prior)
        precision += state.numbers.support_precision * state.support.T @ state.support
        covariance = torch.linalg.inv(precision)[:-1, :-1].numpy()
        for row, own in enumerate(chosen):
            vector = np.zeros(n_rules)
            vector[own] = (firing.deviations * firing.slopes)[own]
            expected = np.sqrt(vector @ covariance @ vector) * firing.factors[column]
            assert found[row, column] == pytest.approx(expected, rel=1e-6)


def test_merged_rules_fire_alike(person, firing, people):
    y = people.target
    rules = merged(firing, y, person.model_.classes)
    members = np.concatenate([own.members for own in rules])
    assert len(members) == len(set(members.tolist()))
    assert set(members.tolist()) == set(np.flatnonzero(firing.deviations > 0).tolist())
    assert any(len(own.members) > 1 for own in rules)
    leaders = {}
    for own in rules:
        names = {firing.names[i].modality for i in own.members}
        assert len(names) == 1
        present = ~np.isnan(firing.strengths[:, own.members[0]])
        together = np.corrcoef(firing.strengths[present][:, own.members].T).reshape(
            len(own.members), -1
        )
        assert (together[0] > 0.95).all()
        each = firing.deviations[own.members, None] * firing.weights[own.members]
        np.testing.assert_allclose(own.weights, each.sum(axis=0))
        leaders.setdefault(names.pop(), []).append(own.members[0])
    importance = [own.importance for own in rules]
    assert importance == sorted(importance, reverse=True)


def test_importance_by_hand(person, firing, people):
    classes = person.model_.classes
    own = merged(firing, people.target, classes)[0]
    best = own.weights.argmax()
    deviating = np.nan_to_num(firing.strengths - np.nanmean(firing.strengths, axis=0))
    contribution = deviating[:, own.members] @ firing.weights[own.members, best]
    predicted = people.target == classes[best]
    expected = contribution[predicted].mean() - contribution[~predicted].mean()
    assert own.importance == pytest.approx(expected)
