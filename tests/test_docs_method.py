"""The equations of docs/method.md, in NumPy as they stand there, beside the classifier's logits."""

import numpy as np
import pytest

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views

SUPPORT, QUERY, UNLABELLED = np.arange(0, 12, 2), np.arange(13, 18), np.arange(12)


@pytest.fixture(scope="module", params=[0, 2], ids=["rules", "networks"])
def people(request):
    """Four people to train on, and a new one; a classifier without and one with networks."""
    data = make_emotion_views(n_people=5, n_emotions=3, random_state=0)
    views, new = data.views.astype(np.float64), data.groups == data.groups[-1]
    known = views[~new], data.target[~new], data.groups[~new]
    sizes = {"n_kernels": 30, "n_patterns": 16, "hidden_dim": 8, "max_epochs": 3}
    classifier = STF2MClassifier(n_networks=request.param, random_state=0, **sizes)
    classifier.fit(*known[:2], groups=known[2])
    return classifier, known, (views[new], data.target[new])


def prior(z, shares, groups, beta, rho):
    """Posterior precision and means of the weights, given the population."""
    precision, t = np.eye(z.shape[1]), np.zeros((z.shape[1], shares.shape[1]))
    for own in (groups == name for name in np.unique(groups)):
        mean, between = z[own].mean(0), own.sum() / (1 + beta * own.sum())
        centred = z[own] - mean
        precision += centred.T @ centred + (1 - rho) ** 2 * between * np.outer(mean, mean)
        t += centred.T @ shares[own] + (1 - rho) * between * np.outer(mean, shares[own].mean(0))
    return precision, 2 * np.linalg.solve(precision, t - np.outer(t.sum(1), shares.mean(0)))


def logits_of_a_person(classifier, known, new, *, n_unlabelled):
    """Section 4 of the page, for the query clips of the new person."""
    numbers, directions = classifier.model_.numbers, classifier.model_.population.directions.numpy()
    everything = [classifier.model_.embed(part[0]).numpy() for part in (known, new)]
    features = [part[:, : len(directions)] for part in everything]
    shares = (known[1][:, None] == classifier.classes_).astype(float)
    rho = n_unlabelled / (n_unlabelled + numbers.shift_clips)
    beta = numbers.person_variance
    shares_shown = (new[1][SUPPORT, None] == classifier.classes_).mean(0)
    spread = (np.prod(shares_shown**-shares_shown) - 1) / (len(shares_shown) - 1)
    precision, means = prior(features[0] @ directions, shares, known[2], beta, rho)
    x = features[1] - rho * features[1][:12].mean(0)
    z = x @ directions
    explained = np.eye(len(precision)) - np.linalg.inv(precision)
    covariance = x @ x.T + (1 - rho) * spread * beta - z @ explained @ z.T
    noisy = covariance[np.ix_(SUPPORT, SUPPORT)] + np.eye(6) / numbers.support_precision
    gain = np.linalg.solve(noisy, covariance[np.ix_(SUPPORT, QUERY)]).T
    labels = 2.0 * (new[1][SUPPORT, None] == classifier.classes_) - 1.0
    scores = z[QUERY] @ means + gain @ (labels - z[SUPPORT] @ means)
    left = np.diag(covariance)[QUERY] - (gain * covariance[np.ix_(QUERY, SUPPORT)]).sum(1)
    said = everything[1][:, len(directions) :]
    if said.size:
        g = (said - rho * said[:12].mean(0))[QUERY]
        weight = left / (left + numbers.network_noise)
        scores += weight[:, None] * (numbers.network_gain * g - scores)
        left = left * numbers.network_noise / (left + numbers.network_noise)
    return numbers.temperature * scores / np.sqrt(1 + numbers.variance_factor * left)[:, None]


@pytest.mark.parametrize("n_unlabelled", [0, 12])
def test_equations_give_the_logits(people, n_unlabelled):
    classifier, known, new = people
    expected = logits_of_a_person(classifier, known, new, n_unlabelled=n_unlabelled)
    unlabelled = new[0][UNLABELLED] if n_unlabelled else None
    person = classifier.adapt(new[0][SUPPORT], new[1][SUPPORT], unlabelled=unlabelled)
    assert abs(expected).max() > 0.5
    np.testing.assert_allclose(person.decision_function(new[0][QUERY]), expected, atol=5e-6)
