"""A short list of rules: few rules predict as well, and nothing is found where nothing is."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.inspection import ShortRules, explain, short_rules
from stf2m_sk.inspection._firing import firing_of, strengths_of
from stf2m_sk.inspection._linear_rules import LinearRules, path_of
from stf2m_sk.inspection._merging import merged
from stf2m_sk.preprocessing import ViewSelector


def _data(n_emotions=3, **parameters):
    return make_emotion_views(
        n_people=5, n_clips_per_emotion=5, n_emotions=n_emotions, random_state=5, **parameters
    )


def _classifier():
    return STF2MClassifier(n_networks=0, n_kernels=16, n_patterns=16, random_state=0)


@pytest.fixture(scope="module")
def easy():
    data = _data(ambiguity=0.0, noise=0.5)
    model = _classifier().fit(data.views, data.target, groups=data.groups)
    return data, model, short_rules(model, data.views, data.target, groups=data.groups, k=6)


class TestChoice:
    def test_the_fewest_that_keep_the_accuracy(self, easy):
        _, _, short = easy
        assert short.full_score_ > 0.5
        assert 0 < len(short.rules_) <= 6
        assert short.score_ == short.scores_[len(short.rules_)]
        keeps = [(short.scores_[n:] >= 0.95 * short.full_score_).all() for n in range(7)]
        expected = keeps.index(True) if any(keeps) else short.scores_.argmax()
        assert len(short.rules_) == expected

    def test_no_rule_is_chance(self, easy):
        _, _, short = easy
        assert short.scores_[0] == pytest.approx(1 / 3)
        assert len(short.scores_) == 7

    def test_scores_are_of_models_that_have_not_seen_the_people(self, easy):
        data, model, short = easy
        found = np.empty(len(data.target), dtype=data.target.dtype)
        full = found.copy()
        for train, test in GroupKFold(5).split(data.target, groups=data.groups):
            people = data.groups[train]
            own = clone(model).fit(data.views[train], data.target[train], groups=people)
            full[test] = own.predict(data.views[test])
            firing = firing_of(own.model_, data.views[train])
            rules = merged(firing, data.target[train], own.classes_)
            linear = path_of(firing, rules, data.target[train], people, 6)[4]
            strengths = strengths_of(own.model_, data.views[test])
            found[test] = linear.classes[linear.probabilities(strengths).argmax(axis=1)]
        assert short.scores_[4] == pytest.approx(balanced_accuracy_score(data.target, found))
        assert short.full_score_ == pytest.approx(balanced_accuracy_score(data.target, full))

    def test_people_left_out_decide_nothing(self):
        """The scores of people with labels of their own cannot be more than chance."""
        data = _data(ambiguity=0.0, noise=0.5)
        _, people = np.unique(data.groups, return_inverse=True)
        emotions, codes = np.unique(data.target, return_inverse=True)
        turned = emotions[(codes + people) % 3]  # each person names the emotions otherwise
        model = _classifier().fit(data.views, turned, groups=data.groups)
        short = short_rules(model, data.views, turned, groups=data.groups, k=4)
        assert short.score_ < 1 / 3 + 0.15


class TestShuffled:
    def test_weights_shrink_and_nothing_is_found(self, easy):
        data, model, _ = easy
        shuffled = np.random.default_rng(0).permutation(data.target)
        other = _classifier().fit(data.views, shuffled, groups=data.groups)
        strength = [np.ptp(explain(own, data.views).total, axis=1).mean() for own in (model, other)]
        assert strength[1] < 0.5 * strength[0]
        short = short_rules(other, data.views, shuffled, groups=data.groups, k=6)
        assert short.score_ < 1 / 3 + 0.12


class TestPrediction:
    @pytest.mark.parametrize("n_emotions", [2, 3])
    def test_probabilities_by_hand(self, n_emotions):
        data = _data(n_emotions, ambiguity=0.0, noise=0.5)
        model = _classifier().fit(data.views, data.target, groups=data.groups)
        short = short_rules(model, data.views, data.target, groups=data.groups, k=3)
        own = short.linear_
        strengths = np.concatenate(
            [module.strengths(s).numpy() for module, s in model.model_.standardised(data.views)]
        ).astype(float)[:, own.rules]
        strengths[:, own.is_inverted] = 1.0 - strengths[:, own.is_inverted]
        z = (strengths - strengths.mean(axis=0)) / strengths.std(axis=0)
        expected = softmax(z @ short.coef_.T + short.intercept_, axis=1)
        found = short.predict_proba(data.views)
        np.testing.assert_allclose(found, expected, atol=1e-8)
        assert (short.predict(data.views) == short.classes_[expected.argmax(axis=1)]).all()
        accuracy = balanced_accuracy_score(data.target, short.predict(data.views))
        assert accuracy > 1.4 / n_emotions
        weights = short.rules_[[f"weight_{c}" for c in short.classes_]].to_numpy().T
        np.testing.assert_array_equal(weights, short.coef_)

    def test_rules_that_are_turned_round(self):
        one = np.ones(1)
        linear = LinearRules(np.array([0, 1]), np.array([1]), one > 0, 0.4 * one, 0.5 * one,
                             np.array([[-1.0], [1.0]]), np.array([0.2, 0.0]))  # fmt: skip
        found = linear.probabilities(np.array([[0.3, 0.1], [0.3, np.nan]]))
        np.testing.assert_allclose(found, softmax([[-0.8, 1.0], [0.2, 0.0]], axis=1))

    def test_an_absent_modality(self, easy):
        data, _, short = easy
        absent = {name: np.array(data.views[name]) for name in data.views.names}
        absent[short.rules_["modality"][0]][:] = np.nan
        assert np.isfinite(short.predict_proba(absent)).all()

    def test_words(self, easy):
        _, _, short = easy
        lines = str(short).splitlines()
        assert f"{len(short.rules_)} rules: balanced accuracy {short.score_:.3f}" in lines[0]
        assert f"full classifier {short.full_score_:.3f}" in lines[0]
        for line, own in zip(lines[1:], short.rules_.itertuples(), strict=True):
            assert line.endswith(f"{own.prediction}: {own.rule}")


class TestEstimator:
    def test_fit_is_fitting_and_choosing(self, easy):
        data, _, short = easy
        own = ShortRules(_classifier(), k=6)
        assert str(own) == repr(own)
        own = clone(own).fit(data.views, data.target, groups=data.groups)
        assert own.rules_["rule"].tolist() == short.rules_["rule"].tolist()
        np.testing.assert_array_equal(own.predict(data.views), short.predict(data.views))

    def test_a_pipeline(self, easy):
        data, _, _ = easy
        pipeline = make_pipeline(ViewSelector(keep=["voice"]), _classifier())
        own = ShortRules(pipeline, k=2).fit(data.views, data.target, groups=data.groups)
        assert set(own.rules_["modality"]) == {"voice"}
        assert own.predict(data.views).shape == data.target.shape

    def test_refusals(self, easy, quick):
        data, model, _ = easy
        with pytest.raises(ValueError, match="at least two people"):
            short_rules(model, data.views, data.target, groups=np.zeros(len(data.target)))
        with pytest.raises(ValueError, match="'k'"):
            short_rules(model, data.views, data.target, groups=data.groups, k=0)
        with pytest.raises(NotFittedError):
            short_rules(quick(), data.views, data.target, groups=data.groups)
        with pytest.raises(NotFittedError):
            ShortRules(model).predict(data.views)
