"""Episodes answered together are what the classifier's own verbs say, one by one."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from stf2m_sk.model_selection import ShuffledLabels
from stf2m_sk.model_selection._answering import Refit, answer_episodes
from stf2m_sk.model_selection._batch import answer_batch, can_batch
from stf2m_sk.model_selection._clips import read_clips
from stf2m_sk.model_selection._episodes import Episode, Request
from stf2m_sk.model_selection._fitting import Signals
from stf2m_sk.model_selection._plan import draw_people


def loop(classifier, views, target, episode):
    """What a user would write."""
    if len(episode.support):
        classifier = classifier.adapt(views[episode.support], target[episode.support])
    return classifier.classes_, classifier.predict_proba(views[episode.query])


def assert_is_the_loop(classifier, views, target, episodes, **precision):
    told = [target[one.support] for one in episodes]
    answers = answer_batch(classifier, Signals(views, None), told, episodes)
    assert len(answers) == len(episodes)
    for answer, episode in zip(answers, episodes, strict=True):
        classes, probabilities = loop(classifier, views, target, episode)
        np.testing.assert_array_equal(answer.classes, classes)
        assert answer.probabilities.dtype == probabilities.dtype
        np.testing.assert_allclose(answer.probabilities, probabilities, **precision)
        np.testing.assert_array_equal(answer.labels, classes[probabilities.argmax(axis=1)])


@pytest.fixture(scope="module")
def drawn(people):
    """Episodes of two random classes, of supports of every size, in mixed order."""
    clips = read_clips(people.views, people.target, people.groups)
    request = Request((0, 1, 2), 2, 1, 0, "shrink")
    episodes, _ = draw_people(clips, np.arange(len(people.target)), request, 8, [0])
    order = np.random.default_rng(0).permutation(len(episodes))
    return [episodes[i] for i in order]


def test_many_episodes_of_other_classes(lasting, people, drawn):
    assert len(drawn) > 64  # more than are answered at once
    assert len({tuple(one.ways.tolist()) for one in drawn}) == 3
    assert len({len(one.support) for one in drawn}) >= 3
    assert_is_the_loop(lasting, people.views, people.target, drawn, rtol=1e-9)


def test_in_single_precision(lasting, people, drawn):
    views = people.views.astype(np.float32)
    assert_is_the_loop(lasting, views, people.target, drawn[:20], rtol=1e-4, atol=1e-6)


def test_beliefs_trust_and_new_emotions(people, quick, drawn):
    emotions = np.unique(people.target)
    told = quick(
        priors=dict(zip([*emotions, "awe"], [0.1, 0.2, 0.3, 0.4], strict=True)),
        class_weight={emotions[1]: 3.0},
        support_weight=0.2,
    ).fit(people.views, people.target, groups=people.groups)
    target = people.target.astype(object)
    target[target == emotions[0]] = "awe"  # an emotion that the population lacks
    some = [one for one in drawn if one.shots][:20]
    assert_is_the_loop(told, people.views, target, some, rtol=1e-9)


def test_without_shots_it_is_the_classifier_as_it_is(lasting, people, drawn):
    person = lasting.adapt(people.new_views, people.new_target)
    bare = [one for one in drawn if not one.shots]
    assert_is_the_loop(person, people.views, people.target, bare, rtol=1e-9)


def test_queries_of_one_clip_and_of_many(lasting, people):
    rows = np.arange(len(people.target))
    ways = np.unique(people.target)
    support = np.array([np.flatnonzero(people.target == way)[0] for way in ways])
    episodes = [
        Episode("one", 0, 1, ways, support, rows[-1:]),
        Episode("many", 0, 1, ways, support, rows),
        Episode("none", 0, 0, ways, support[:0], rows[:2]),
    ]
    assert_is_the_loop(lasting, people.views, people.target, episodes, rtol=1e-9)


def test_text_for_numbers_is_told(lasting, people, drawn):
    numbers = [np.arange(len(one.support)) for one in drawn]
    with pytest.raises(TypeError, match="cannot be mixed; give all as text or all as numbers"):
        answer_batch(lasting, Signals(people.views, None), numbers, drawn)


def test_is_taken_and_time_is_shared_out(lasting, people, drawn, monkeypatch):
    """No episode goes through the verbs one by one, and the seconds are those that passed."""
    verbs = type(lasting)
    assert can_batch(lasting)

    def refuse(self, *args, **kwargs):
        raise AssertionError("an episode was answered alone")

    monkeypatch.setattr(verbs, "adapt", refuse)
    monkeypatch.setattr(verbs, "predict_proba", refuse)
    clips = read_clips(people.views, people.target)
    none = np.arange(0)
    answers = list(
        answer_episodes(lasting, people.views, clips, drawn, Refit("support", none, 1.0))
    )
    assert len(answers) == len(drawn)
    assert all(one.adapt_seconds >= 0 and one.predict_seconds > 0 for one in answers)


def test_a_subclass_is_left_to_its_own_verbs(lasting):
    class Other(type(lasting)):
        pass

    assert not can_batch(Other())


def test_shuffled_labels_are_those_of_the_control(lasting, people, drawn):
    alone = ShuffledLabels(FrozenEstimator(lasting), random_state=3)
    alone.fit(people.views, people.target)
    together = ShuffledLabels(lasting, random_state=3)
    together.estimator_ = lasting
    clips = read_clips(people.views, people.target)
    some, refit = drawn[:20], Refit("support", np.arange(0), 1.0)
    answers = answer_episodes(together, people.views, clips, some, refit)
    for answer, one in zip(answers, some, strict=True):
        known = alone
        if one.shots:
            known = alone.adapt(people.views[one.support], people.target[one.support])
        expected = known.predict_proba(people.views[one.query])
        np.testing.assert_allclose(answer.probabilities, expected, rtol=1e-9)
