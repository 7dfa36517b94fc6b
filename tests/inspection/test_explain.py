"""Explanations: contributions add up to the logits, in every way they are taken apart."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.inspection import explain
from stf2m_sk.nn.attribution import strengths_and_courses
from stf2m_sk.preprocessing import ViewSelector
from stf2m_sk.views import as_views


def _logits(classifier, views):
    """Logits of all classes, two of them too."""
    with torch.no_grad():
        return classifier.model_.logits(as_views(views, classifier.schema_)).numpy()


def _with_gaps(views, rng, *, share):
    """Frames and whole modalities taken out of clips; something is left of each clip."""
    arrays = {}
    absent = rng.random((len(views), len(views.names))) < share
    absent[np.arange(len(views)), rng.integers(len(views.names), size=len(views))] = False
    for i, name in enumerate(views.names):
        values = np.array(views[name])
        values[rng.random(values.shape) < share] = np.nan
        values[:, :, 0] = np.where(np.isnan(values[:, :, 0]), 0.0, values[:, :, 0])
        values[absent[:, i]] = np.nan
        arrays[name] = values
    return arrays


@st.composite
def _cases(draw):
    """A classifier, clips that it has not seen, and how large an error rounding may make."""
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    data = make_emotion_views(
        n_people=3,
        n_clips_per_emotion=2,
        n_emotions=draw(st.integers(2, 4)),
        random_state=seed,
    )
    is_double = draw(st.booleans())
    names = draw(st.sampled_from([("skin",), ("skin", "pulse"), ("voice", "skin", "pulse")]))
    views = data.views.select(*names).astype(np.float64 if is_double else np.float32)
    new = data.groups == data.groups[-1]
    classifier = STF2MClassifier(
        n_networks=0,
        n_kernels=draw(st.integers(1, 12)),
        n_patterns=draw(st.sampled_from([0, 8, 24])),
        priors=None if draw(st.booleans()) else _priors(data.target[~new], rng),
        random_state=seed,
    )
    classifier.fit(views[~new], data.target[~new], groups=data.groups[~new])
    own, target = views[new], data.target[new].astype(object)
    n_labelled = draw(st.integers(0, 3))
    if draw(st.booleans()):
        target[0] = "something new"
    unlabelled = own if draw(st.booleans()) or not n_labelled else None
    if n_labelled or unlabelled is not None:
        labelled = (own[:n_labelled], target[:n_labelled].astype(str)) if n_labelled else ()
        classes = np.unique([*data.target.astype(str), "something new"])
        classifier = classifier.adapt(*labelled, unlabelled=unlabelled, classes=classes)
    clips = _with_gaps(own, rng, share=draw(st.sampled_from([0.0, 0.3])))
    return classifier, clips, 1e-10 if is_double else 1e-5


def _priors(target, rng):
    shares = rng.dirichlet(np.ones(len(np.unique(target))) * 5)
    return shares / shares.sum()


def _close(found, expected, tolerance, *, summands=0.0):
    """Equal up to rounding of logits of any size, or of what they are the sum of."""
    size = max(np.abs(expected).max(), summands)
    np.testing.assert_allclose(found, expected, atol=tolerance * (1 + size))


class TestAdditivity:
    @settings(max_examples=20, deadline=None)
    @given(_cases(), st.sampled_from(["population", "person"]))
    def test_sums_are_the_logits(self, case, relative_to):
        classifier, clips, tolerance = case
        if classifier.model_.person is None and classifier.model_.support is None:
            relative_to = "population"
        explanation = explain(classifier, clips, relative_to=relative_to)
        expected = _logits(classifier, clips)
        others = explanation.by_person + explanation.by_networks + explanation.by_prior
        frames = sum(own.sum(axis=2) for own in explanation.by_frame.values())
        # Features in float32 are rounded, and each error is multiplied by its own weight.
        is_rounded = expected.dtype == np.float32
        summands = np.abs(explanation.by_rule()).sum(axis=2).max() if is_rounded else 0.0
        for found in (
            explanation.total,
            explanation.by_modality.sum(axis=2) + others,
            explanation.by_rule().sum(axis=2) + others,
            frames + others,
        ):
            _close(found, expected, tolerance, summands=summands)
        for i, name in enumerate(explanation.modalities):
            of_frames = explanation.by_frame[name].sum(axis=2)
            _close(of_frames, explanation.by_modality[:, :, i], tolerance)

    @pytest.mark.parametrize("relative_to", ["population", "person"])
    def test_with_networks(self, with_networks, people, relative_to):
        person = with_networks.adapt(
            people.new_views[:4],
            np.where(np.arange(4) == 0, "surprise", people.new_target[:4]),
            unlabelled=people.new_views,
            classes=["surprise", *np.unique(people.target)],
        )
        explanation = explain(person, people.new_views, relative_to=relative_to)
        _close(explanation.total, person.decision_function(people.new_views), 1e-10)
        new = explanation.names.index("surprise")
        assert not explanation.by_networks[:, new].any()
        assert np.abs(np.delete(explanation.by_networks, new, axis=1)).max() > 1e-3

    def test_a_pair(self, fitted, people):
        explanation = explain(fitted, people.new_views)
        first, second = explanation.classes[:2]
        pair = explanation.versus(first, second)
        _close(pair.total[:, 0], np.subtract(*explanation.total.T[:2]), 1e-12)
        _close(
            pair.by_rule()[:, 0], np.subtract(*explanation.by_rule().transpose(1, 0, 2)[:2]), 1e-12
        )
        assert pair.names == (f"{first} - {second}",)

    @pytest.mark.parametrize("of", ["modality", "rule", "frame"])
    def test_tables(self, fitted, people, of):
        explanation = explain(fitted, people.new_views[:3])
        sums = explanation.to_frame(of).groupby(["clip", "emotion"])["contribution"].sum()
        for clip in range(3):
            _close([sums[clip, c] for c in explanation.names], explanation.total[clip], 1e-8)


class TestParts:
    def test_an_absent_modality_contributes_nothing(self, fitted, people):
        views = people.new_views
        arrays = {name: np.array(views[name]) for name in views.names}
        arrays["skin"][:] = np.nan
        present = ~np.isnan(arrays["pulse"]).all(axis=(1, 2))
        clips = {name: values[present] for name, values in arrays.items()}
        explanation = explain(fitted, clips)
        skin = explanation.modalities.index("skin")
        assert not explanation.by_modality[:, :, skin].any()
        assert not explanation.by_frame["skin"].any()

    def test_frames_that_are_not_measured_contribute_nothing(self, fitted, people):
        explanation = explain(fitted, people.new_views)
        for name in explanation.modalities:
            gone = np.isnan(people.new_views[name]).all(axis=1)
            assert gone.any()
            of_frames = explanation.by_frame[name].transpose(0, 2, 1)
            assert not of_frames[gone].any()

    def test_the_population_s_mean_clip_is_explained_by_nothing(self, fitted, people):
        explanation = explain(fitted, people.views)
        deviations = explanation.deviations
        present = (deviations != 0).any(axis=1)
        assert present.all()
        of_modality = [rule.modality == "skin" for rule in explanation.rules]
        has = (deviations[:, of_modality] != 0).any(axis=1)
        mean = deviations[has][:, of_modality].mean(axis=0)
        np.testing.assert_allclose(mean, 0.0, atol=1e-6)

    def test_the_person_s_own_mean(self, fitted, people):
        complete = people.new_views[people.new_views.present.all(axis=1)]
        assert len(complete) > 1
        person = fitted.adapt(unlabelled=complete)
        explanation = explain(person, complete, relative_to="person")
        np.testing.assert_allclose(explanation.deviations.mean(axis=0), 0.0, atol=1e-10)
        assert np.abs(explanation.deviations).max() > 1e-3
        _close(explanation.total, person.decision_function(complete), 1e-10)

    def test_is_printed_in_a_line(self, fitted, people):
        explanation = explain(fitted, people.new_views)
        first, second = explanation.classes[:2]
        expected = f"Explanation({len(people.new_views)} clips; {first} - {second}; skin, pulse; "
        assert repr(explanation.versus(first, second)).startswith(expected)

    def test_times_are_seconds(self, fitted, people):
        explanation = explain(fitted, people.new_views)
        for modality in people.new_views.schema:
            times = explanation.times(modality.name)
            assert times[1] == pytest.approx(1 / modality.rate)
            assert len(times) == explanation.by_frame[modality.name].shape[2]


class TestFrames:
    def test_strengths_are_those_of_the_rules(self, fitted, people):
        module, signals = next(fitted.model_.standardised(people.new_views))
        coefficients = torch.ones(module.n_rules, 1, dtype=signals.values[0].dtype)
        strengths, _ = strengths_and_courses(module, signals, coefficients)
        torch.testing.assert_close(strengths, module.strengths(signals), equal_nan=True)

    def test_the_level_is_shared_alike(self, fitted, people):
        """Clips that stay at their means have the same contribution in each measured frame."""
        arrays = {
            name: own
            + (np.nan_to_num(own).sum(2) / (~np.isnan(own)).sum(2).clip(1))[..., None]
            - np.nan_to_num(own)
            for name, own in people.new_views.to_dict().items()
        }
        explanation = explain(fitted, arrays)
        for name, own in explanation.by_frame.items():
            known = ~np.isnan(arrays[name]).all(axis=1)
            for sums, is_known in zip(own, known, strict=True):
                if is_known.any():
                    assert np.ptp(sums[:, is_known], axis=1).max() < 1e-6


class TestInput:
    def test_a_pipeline(self, quick, people):
        pipeline = make_pipeline(ViewSelector(keep=["skin"]), quick())
        seen = people.views.present[:, 0]
        pipeline.fit(people.views[seen], people.target[seen])
        present = people.new_views.present[:, 0]
        clips = people.new_views[present]
        explanation = explain(pipeline, clips)
        assert explanation.modalities == ("skin",)
        _close(explanation.total, pipeline.decision_function(clips), 1e-10)

    def test_not_fitted(self, quick, people):
        with pytest.raises(NotFittedError):
            explain(quick(), people.views)

    def test_another_classifier(self, people):
        with pytest.raises(TypeError, match=r"STF2MClassifier.*got LogisticRegression"):
            explain(LogisticRegression(), people.views)

    def test_a_person_who_has_shown_nothing(self, fitted, people):
        with pytest.raises(ValueError, match=r"adapt\(unlabelled="):
            explain(fitted, people.views, relative_to="person")

    def test_an_unknown_reference(self, fitted, people):
        with pytest.raises(ValueError, match="'mean'"):
            explain(fitted, people.views, relative_to="mean")

    def test_emotions_of_a_pair(self, fitted, people):
        explanation = explain(fitted, people.new_views)
        with pytest.raises(ValueError, match="'nobody'"):
            explanation.versus("nobody", explanation.classes[0])
        with pytest.raises(ValueError, match="twice"):
            explanation.versus(explanation.classes[0], explanation.classes[0])

    def test_an_unknown_table(self, fitted, people):
        with pytest.raises(ValueError, match="'clip'"):
            explain(fitted, people.new_views).to_frame("clip")
