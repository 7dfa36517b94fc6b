"""unlikeness: 1 is what 99 % of the clips of new people stay below."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.inspection import unlikeness
from stf2m_sk.preprocessing import ViewScaler

SMALL = {"n_networks": 0, "n_kernels": 60, "n_patterns": 24, "random_state": 0}


@pytest.fixture(scope="module")
def data():
    return make_emotion_views(n_people=24, random_state=1)


@pytest.fixture(scope="module")
def new(data):
    return np.isin(data.groups, np.unique(data.groups)[-8:])


@pytest.fixture(scope="module")
def classifier(data, new):
    return STF2MClassifier(**SMALL).fit(
        data.views[~new], data.target[~new], groups=data.groups[~new]
    )


def test_one_is_the_99_percent_quantile_of_new_people(classifier, data, new):
    values = unlikeness(classifier, data.views[new])
    assert values.shape == (new.sum(),) and values.dtype == np.float64
    assert 0.6 < np.quantile(values, 0.99) < 1.4
    assert (values > 1).mean() < 0.06


def test_trained_clips_are_more_like_the_population_than_new_ones(classifier, data, new):
    known = np.median(unlikeness(classifier, data.views[~new]))
    assert known < np.median(unlikeness(classifier, data.views[new]))


def test_labelled_clips_of_the_person_make_their_others_more_alike(classifier, data, new):
    own = np.flatnonzero(data.groups == data.groups[-1])
    person = classifier.adapt(data.views[own[::2]], data.target[own[::2]])
    rest = data.views[own[1::2]]
    assert (unlikeness(person, rest) < unlikeness(classifier, rest)).all()


def test_networks_and_other_clips_of_the_call_do_not_matter(classifier, data, new):
    views = data.views[new]
    together = unlikeness(classifier, views)
    alone = [unlikeness(classifier, views[[i]])[0] for i in range(5)]
    np.testing.assert_allclose(together[:5], alone, rtol=1e-6)


def test_of_a_pipeline(data, new):
    model = make_pipeline(ViewScaler(), STF2MClassifier(**SMALL))
    model.fit(data.views[~new], data.target[~new], stf2mclassifier__groups=data.groups[~new])
    found = unlikeness(model, data.views[new])
    np.testing.assert_array_equal(
        found, unlikeness(model[-1], model[:-1].transform(data.views[new]))
    )


def test_refusals(data):
    with pytest.raises(NotFittedError):
        unlikeness(STF2MClassifier(), data.views)
    with pytest.raises(TypeError, match="STF2MClassifier"):
        unlikeness(LogisticRegression(), data.views)
