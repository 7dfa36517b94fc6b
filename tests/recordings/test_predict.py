"""Timelines of recordings: against `adapt` and `predict_proba` on the same clips."""

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.pipelines import adapt_pipeline
from stf2m_sk.preprocessing import ViewScaler, ViewSelector
from stf2m_sk.recordings import Recording, RecordingError, RecordingWarning, Signal
from stf2m_sk.recordings import _reading as reading
from stf2m_sk.recordings._cut import cut
from stf2m_sk.recordings._predict import predict_timeline

UTC = 1_644_226_061.0
WINDOW = 8.0  # of the generated clips
QUICK = {"n_networks": 0, "n_kernels": 8, "n_patterns": 8, "random_state": 0}


@cache
def population():
    data = make_emotion_views(n_people=6, random_state=0)
    is_new = data.groups == data.groups[-1]
    return data, is_new


@cache
def fitted():
    data, is_new = population()
    clf = STF2MClassifier(**QUICK)
    return clf.fit(data.views[~is_new], data.target[~is_new], groups=data.groups[~is_new])


def recorded(views, start=UTC):
    """Clips one behind the other, as if they had been recorded so."""
    signals = {}
    for name in views.names:
        values = np.concatenate(list(views[name]), axis=1)
        signals[name] = Signal(values, rate=views.schema[name].rate, start=start)
    return Recording(signals, person="new", name="visit")


@cache
def new_person():
    data, is_new = population()
    views = data.views[is_new].astype("float32")
    return views, data.target[is_new], recorded(views)


@pytest.fixture(autouse=True)
def _silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecordingWarning)
        yield


class TestAgainstTheClips:
    def test_times(self):
        views, _, recording = new_person()
        line = predict_timeline(fitted(), recording, window=WINDOW, unlabelled=False)
        np.testing.assert_array_equal(line.start, UTC + WINDOW * np.arange(len(views)))
        np.testing.assert_array_equal(line.end, line.start + WINDOW)
        assert (line.origin, line.name, line.person) == (UTC, "visit", "new")
        assert line.classes.tolist() == fitted().classes_.tolist()

    def test_without_unlabelled_clips_it_is_predict_proba(self):
        views, _, recording = new_person()
        line = predict_timeline(fitted(), recording, window=WINDOW, unlabelled=False)
        np.testing.assert_allclose(line.probabilities, fitted().predict_proba(views), atol=1e-6)

    def test_the_recording_serves_as_unlabelled_clips(self):
        views, _, recording = new_person()
        line = predict_timeline(fitted(), recording, window=WINDOW)
        expected = fitted().adapt(unlabelled=views).predict_proba(views)
        np.testing.assert_allclose(line.probabilities, expected, atol=1e-5)
        assert np.abs(expected - fitted().predict_proba(views)).max() > 0.01

    def test_labelled_clips_stay(self):
        views, target, recording = new_person()
        person = fitted().adapt(views[:4], target[:4])
        line = predict_timeline(person, recording, window=WINDOW)
        both = fitted().adapt(views[:4], target[:4], unlabelled=views)
        np.testing.assert_allclose(line.probabilities, both.predict_proba(views), atol=1e-5)

    def test_it_takes_the_place_of_other_unlabelled_clips(self):
        _, _, recording = new_person()
        data, _ = population()
        other = fitted().adapt(unlabelled=data.views[:10])
        line = predict_timeline(other, recording, window=WINDOW)
        expected = predict_timeline(fitted(), recording, window=WINDOW)
        np.testing.assert_allclose(line.probabilities, expected.probabilities, atol=1e-12)

    @pytest.mark.parametrize("arguments", [{}, {"causal": True}, {"unlabelled": False}])
    def test_the_classifier_is_not_changed(self, arguments, state_of):
        before = state_of(fitted())
        predict_timeline(fitted(), new_person()[2], window=WINDOW, **arguments)
        assert state_of(fitted()) == before

    def test_windows_that_overlap(self):
        recording = new_person()[2]
        line = predict_timeline(fitted(), recording, window=WINDOW, step=2.5)
        clips = cut(recording, window=WINDOW, step=2.5, label=None, min_measured=0)
        expected = fitted().adapt(unlabelled=clips.views).predict_proba(clips.views)
        np.testing.assert_allclose(line.probabilities, expected, atol=1e-5)
        assert len(line) > 60  # more than are read at once

    def test_features_that_are_not_kept_are_computed_again(self, monkeypatch):
        recording = new_person()[2]
        expected = predict_timeline(fitted(), recording, window=WINDOW, step=2)
        for n_kept in (0, 3000):
            monkeypatch.setattr(reading, "_FEATURES_KEPT", n_kept)
            found = predict_timeline(fitted(), recording, window=WINDOW, step=2)
            np.testing.assert_array_equal(found.probabilities, expected.probabilities)

    def test_smooth_is_smoothed(self):
        recording = new_person()[2]
        line = predict_timeline(fitted(), recording, window=WINDOW)
        found = predict_timeline(fitted(), recording, window=WINDOW, smooth=24)
        np.testing.assert_array_equal(found.probabilities, line.smoothed(24).probabilities)


class TestCausal:
    def test_each_window_knows_those_before_it(self):
        views, _, recording = new_person()
        line = predict_timeline(fitted(), recording, window=WINDOW, causal=True)
        known = 0
        for i in range(len(views)):
            if i < 10 or i + 1 >= 1.1 * known:
                known = i + 1  # each of the first ten, then after each tenth more
            person = fitted().adapt(unlabelled=views[:known])
            expected = person.predict_proba(views[i])[0]
            np.testing.assert_allclose(line.probabilities[i], expected, atol=1e-5)

    def test_what_comes_later_changes_nothing(self):
        recording = new_person()[2]
        arguments = {"window": WINDOW, "step": 3, "causal": True, "smooth": 20}
        line = predict_timeline(fitted(), recording, **arguments)
        changed = {}
        for name, signal in recording.signals.items():
            values = signal.values.copy()
            values[:, signal.index(UTC + 100) :] *= -3
            changed[name] = replace(signal, values=values)
        other = predict_timeline(fitted(), recording.with_signals(changed), **arguments)
        before = line.end <= UTC + 100
        np.testing.assert_allclose(
            line.probabilities[before], other.probabilities[before], atol=1e-6
        )
        assert not np.allclose(line.probabilities[~before], other.probabilities[~before])
        assert line.causal

    def test_labelled_clips_stay(self):
        views, target, recording = new_person()
        person = fitted().adapt(views[:4], target[:4])
        line = predict_timeline(person, recording, window=WINDOW, causal=True)
        for i in (0, 7):
            both = fitted().adapt(views[:4], target[:4], unlabelled=views[: i + 1])
            expected = both.predict_proba(views[i])[0]
            np.testing.assert_allclose(line.probabilities[i], expected, atol=1e-5)


class TestNotMeasured:
    @pytest.mark.parametrize("causal", [False, True])
    def test_a_hole_is_nan_and_counts_for_nothing(self, causal):
        views, _, recording = new_person()
        signals = {}
        for name, signal in recording.signals.items():
            values = signal.values.copy()
            values[:, signal.index(UTC + 3 * WINDOW) : signal.index(UTC + 5 * WINDOW)] = np.nan
            signals[name] = replace(signal, values=values)
        holed = recording.with_signals(signals)
        line = predict_timeline(fitted(), holed, window=WINDOW, causal=causal)
        assert np.flatnonzero(np.isnan(line.probabilities).any(axis=1)).tolist() == [3, 4]
        rest = np.setdiff1d(np.arange(len(views)), [3, 4])
        joined = predict_timeline(fitted(), recorded(views[rest]), window=WINDOW, causal=causal)
        np.testing.assert_allclose(line.probabilities[rest], joined.probabilities, atol=1e-6)

    def test_nothing_at_all_is_a_timeline_of_nan(self):
        signal = Signal(np.full((1, 128), np.nan), rate=4)
        with pytest.warns(RecordingWarning):
            line = predict_timeline(fitted(), Recording({"skin": signal}), window=WINDOW)
        assert np.isnan(line.probabilities).all() and line.labels.tolist() == [None] * 4

    def test_a_recording_shorter_than_the_window_is_one_window(self):
        line = predict_timeline(fitted(), new_person()[2].slice(UTC, UTC + 5), window=WINDOW)
        assert len(line) == 1 and not np.isnan(line.probabilities).any()

    def test_missing_signals_are_said(self):
        recording = new_person()[2].select("skin", "voice")
        recording = recording.with_signals({**recording.signals, "Pulse": recording["skin"]})
        message = (
            r"lacks \['motion', 'pulse'\], which the classifier was trained on \(and has "
            r"\['Pulse'\], which it does not know\)"
        )
        with pytest.warns(RecordingWarning, match=message) as caught:
            line = predict_timeline(fitted(), recording, window=WINDOW)
        assert caught[0].filename == __file__
        views = new_person()[0].select("skin", "voice")
        expected = fitted().adapt(unlabelled=views).predict_proba(views)
        np.testing.assert_allclose(line.probabilities, expected, atol=1e-5)


class TestWrongInput:
    def test_another_unit_is_warned_of(self):
        recording = new_person()[2]
        skin = replace(recording["skin"], values=recording["skin"].values * 1000)
        changed = recording.with_signals({**recording.signals, "skin": skin})
        with pytest.warns(RecordingWarning, match="signal 'skin', channel 0: root mean square"):
            predict_timeline(fitted(), changed, window=WINDOW)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"rate": 8}, r"'skin' has 8 Hz, .* trained on 4 Hz: recording.resample\('skin', 4\)"),
            ({"values": np.zeros((2, 99))}, "'skin' has 2 channels, .* was trained on 1"),
            ({"values": np.zeros((2, 2, 3, 9))}, r"'skin' has values of shape \(2, 2, 3, 9\)"),
        ],
    )
    def test_signals_other_than_in_training(self, changes, message):
        skin = replace(new_person()[2]["skin"], **changes)
        with pytest.raises(RecordingError, match=message):
            predict_timeline(fitted(), Recording({"skin": skin}), window=WINDOW)

    def test_no_signal_of_training(self):
        recording = Recording({"EDA": new_person()[2]["skin"]})
        with pytest.raises(RecordingError, match=r"has signals \['EDA'\], but .* trained on \['mo"):
            predict_timeline(fitted(), recording, window=WINDOW)

    def test_classifiers_that_cannot(self):
        recording = new_person()[2]
        with pytest.raises(NotFittedError):
            predict_timeline(STF2MClassifier(), recording, window=WINDOW)
        with pytest.raises(TypeError, match=r"must have predict_proba\(views\), given LinearSVC"):
            predict_timeline(LinearSVC(), recording, window=WINDOW)

    def test_windows(self):
        with pytest.raises(ValueError, match="window must be a positive number of seconds"):
            predict_timeline(fitted(), new_person()[2], window=0)


class Loudness:
    """A classifier of Views that is none of ours."""

    classes_ = np.array(["quiet", "loud"])

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def predict_proba(self, X):
        loud = 1 / (1 + np.exp(-np.nanmean(np.abs(X["voice"]), axis=(1, 2))))
        return np.stack([1 - loud, loud], axis=1)


class TestOtherClassifiers:
    def test_any_with_predict_proba(self):
        views, _, recording = new_person()
        other = Loudness().fit(None)
        line = predict_timeline(other, recording, window=WINDOW, unlabelled=False)
        np.testing.assert_allclose(line.probabilities, other.predict_proba(views), atol=1e-6)
        with pytest.raises(TypeError, match=r"given Loudness; .* pass unlabelled=False"):
            predict_timeline(other, recording, window=WINDOW)

    def test_a_pipeline(self):
        data, is_new = population()
        views, _, recording = new_person()
        pipeline = make_pipeline(ViewSelector(keep=["skin", "voice"]), STF2MClassifier(**QUICK))
        pipeline.fit(data.views[~is_new], data.target[~is_new])
        line = predict_timeline(pipeline, recording, window=WINDOW)
        expected = adapt_pipeline(pipeline, unlabelled=views).predict_proba(views)
        np.testing.assert_allclose(line.probabilities, expected, atol=1e-5)

    def test_a_pipeline_whose_other_steps_adapt_is_adapted_before(self):
        data, is_new = population()
        views, target, recording = new_person()
        pipeline = make_pipeline(ViewScaler(), STF2MClassifier(**QUICK))
        pipeline.fit(data.views[~is_new], data.target[~is_new])
        with pytest.raises(TypeError, match=r"step ViewScaler of .* adapts .*adapt_pipe"):
            predict_timeline(pipeline, recording, window=WINDOW)
        person = adapt_pipeline(pipeline, views[:4], target[:4], unlabelled=views)
        line = predict_timeline(person, recording, window=WINDOW)
        np.testing.assert_allclose(line.probabilities, person.predict_proba(views), atol=1e-5)
