"""Episodes of clips that are embedded once are what the classifier's own verbs say."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from stf2m_sk.embedded import EmbeddedClassifier, can_embed
from stf2m_sk.model_selection import Episode, FewShotProtocol, ShuffledLabels
from stf2m_sk.model_selection._clips import read_clips
from stf2m_sk.model_selection._episodes import draw_people
from stf2m_sk.model_selection._predicting import predict_episodes
from stf2m_sk.preprocessing._forms import with_arrays


def loop(classifier, views, target, episode, unlabelled):
    """What a user would write."""
    side = views[episode.unlabelled] if unlabelled else None
    if len(episode.support):
        X, y = views[episode.support], target[episode.support]
        return classifier.adapt(X, y, unlabelled=side, classes=episode.ways)
    return classifier.adapt(unlabelled=side) if unlabelled else classifier


def assert_is_the_loop(classifier, views, target, episodes, *, unlabelled=False, **precision):
    clips = read_clips(views, target)
    found = predict_episodes(classifier, views, clips, episodes, unlabelled=unlabelled)
    for prediction, episode in zip(found, episodes, strict=True):
        known = loop(classifier, views, target, episode, unlabelled)
        probabilities = known.predict_proba(views[episode.query])
        np.testing.assert_array_equal(prediction.classes, known.classes_)
        assert prediction.probabilities.dtype == probabilities.dtype
        np.testing.assert_allclose(prediction.probabilities, probabilities, **precision)
        np.testing.assert_array_equal(prediction.labels, known.predict(views[episode.query]))
        assert prediction.n_unlabelled == (len(episode.unlabelled) if unlabelled else 0)


@pytest.fixture(scope="module")
def drawn(people):
    """Episodes of two random classes, of supports of every size, in mixed order."""
    clips = read_clips(people.views, people.target, people.groups)
    protocol = FewShotProtocol(shots=(0, 1, 2), ways=2, queries=1, draws=3, gap=0, on_few="shrink")
    episodes, _ = draw_people(clips, np.arange(len(people.target)), protocol, [0])
    order = np.random.default_rng(0).permutation(len(episodes))
    return [episodes[i] for i in order]


@pytest.mark.parametrize("unlabelled", [False, True])
def test_many_episodes_of_other_classes(lasting, people, drawn, unlabelled):
    assert len({tuple(one.ways.tolist()) for one in drawn}) == 3
    assert len({len(one.support) for one in drawn}) >= 3
    assert_is_the_loop(
        lasting, people.views, people.target, drawn, unlabelled=unlabelled, rtol=1e-9
    )


@pytest.mark.parametrize("unlabelled", [False, True])
def test_in_single_precision(lasting, people, drawn, unlabelled):
    views = people.views.astype(np.float32)
    assert_is_the_loop(
        lasting, views, people.target, drawn[:12], unlabelled=unlabelled, rtol=1e-3, atol=1e-5
    )


def test_priors_weights_and_new_emotions(people, quick, drawn):
    emotions = np.unique(people.target)
    weighted = quick(
        priors=dict(zip([*emotions, "awe"], [0.1, 0.2, 0.3, 0.4], strict=True)),
        support_weight=0.2,
    ).fit(people.views, people.target, groups=people.groups)
    target = people.target.astype(object)
    target[target == emotions[0]] = "awe"  # an emotion that the population lacks
    some = [one._replace(ways=np.unique(target[one.query])) for one in drawn if one.shots][:8]
    for unlabelled in (False, True):
        assert_is_the_loop(weighted, people.views, target, some, unlabelled=unlabelled, rtol=1e-9)


def test_a_classifier_that_is_adapted_already(lasting, people, drawn):
    """Without shots it predicts as it is; with them, as every `adapt`, from the population."""
    person = lasting.adapt(people.new_views, people.new_target, unlabelled=people.new_views)
    assert_is_the_loop(person, people.views, people.target, drawn[:12], rtol=1e-9)


def test_queries_of_one_clip_and_of_many(lasting, people):
    rows = np.arange(len(people.target))
    ways = np.unique(people.target)
    support = np.array([np.flatnonzero(people.target == way)[0] for way in ways])
    episodes = [
        Episode("one", 0, 1, ways, support, rows[-1:], rows[:0]),
        Episode("many", 0, 1, ways, support, rows, rows[:0]),
        Episode("none", 0, 0, ways, support[:0], rows[:2], rows[:0]),
    ]
    assert_is_the_loop(lasting, people.views, people.target, episodes, rtol=1e-9)


def test_in_a_pipeline(lasting, people, drawn):
    clips = read_clips(people.views, people.target)
    pipeline = make_pipeline("passthrough", lasting)
    both = [
        list(predict_episodes(known, people.views, clips, drawn[:12], unlabelled=True))
        for known in (lasting, pipeline)
    ]
    for bare, piped in zip(*both, strict=True):
        np.testing.assert_array_equal(bare.probabilities, piped.probabilities)


def test_text_for_numbers_is_an_error(lasting, people, drawn):
    clips = read_clips(people.views, np.arange(len(people.target)) % 3)
    some = [one for one in drawn if one.shots][:1]
    with pytest.raises(TypeError, match="cannot be mixed; give all as text or all as numbers"):
        list(predict_episodes(lasting, people.views, clips, some, unlabelled=False))


def test_a_clip_without_a_measured_value_is_an_error(lasting, people, drawn):
    signals = {name: signal.copy() for name, signal in people.views.to_dict().items()}
    for signal in signals.values():
        signal[drawn[0].query[0]] = np.nan
    views = with_arrays(people.views, signals)
    clips = read_clips(views, people.target)
    with pytest.raises(ValueError, match=r"1 clip\(s\) hold no measured value"):
        list(predict_episodes(lasting, views, clips, drawn[:1], unlabelled=False))


def test_clips_are_embedded_once_and_time_is_shared_out(lasting, people, drawn, monkeypatch):
    embedded = []
    embed = type(lasting.model_).embed

    def counting(self, views):
        embedded.append(len(views))
        return embed(self, views)

    monkeypatch.setattr(type(lasting.model_), "embed", counting)
    clips = read_clips(people.views, people.target)
    predictions = list(predict_episodes(lasting, people.views, clips, drawn, unlabelled=True))
    rows = [np.r_[one.support, one.query, one.unlabelled] for one in drawn]
    assert embedded == [len(np.unique(np.concatenate(rows)))]
    assert all(one.adapt_seconds >= 0 and one.predict_seconds > 0 for one in predictions)


def test_a_subclass_is_left_to_its_own_verbs(lasting):
    class Other(type(lasting)):
        pass

    assert can_embed(lasting)
    assert not can_embed(Other())


def test_adapt_leaves_it_unchanged(lasting, people):
    embedded = EmbeddedClassifier(lasting)
    features = embedded.embed(people.new_views)
    before = embedded.predict_proba(features)
    adapted = embedded.adapt(features, people.new_target, unlabelled=features)
    np.testing.assert_array_equal(embedded.predict_proba(features), before)
    again = embedded.adapt(features, people.new_target)
    expected = lasting.adapt(people.new_views, people.new_target)
    np.testing.assert_allclose(
        again.predict_proba(features), expected.predict_proba(people.new_views), rtol=1e-9
    )
    assert adapted.classes_.tolist() == expected.classes_.tolist()


def test_shuffled_labels_are_those_of_the_control(lasting, people, drawn):
    control = ShuffledLabels(FrozenEstimator(lasting), random_state=3)
    control.fit(people.views, people.target)
    clips = read_clips(people.views, people.target)
    some = drawn[:12]
    for unlabelled in (False, True):
        found = predict_episodes(control, people.views, clips, some, unlabelled=unlabelled)
        for prediction, one in zip(found, some, strict=True):
            known = loop(control, people.views, people.target, one, unlabelled)
            expected = known.predict_proba(people.views[one.query])
            np.testing.assert_allclose(prediction.probabilities, expected, rtol=1e-9)
