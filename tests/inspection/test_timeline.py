"""Contributions over a recording add up to the logits of its timeline."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from stf2m_sk.inspection import explain_timeline
from stf2m_sk.preprocessing import ViewSelector
from stf2m_sk.recordings import Recording, RecordingWarning, Signal, predict_timeline


@pytest.fixture(scope="module")
def clips(people):
    """Clips of the new person, all in full length."""
    return people.new_views.astype(np.float32)


@pytest.fixture(scope="module")
def window(clips):
    own = clips.schema["skin"]
    return own.n_timesteps / own.rate


@pytest.fixture(scope="module")
def recording(clips):
    """The clips one after the other, and a window in which nothing is measured."""
    signals = {}
    for modality in clips.schema:
        values = np.concatenate(clips[modality.name], axis=1)
        values = np.pad(values, ((0, 0), (0, modality.n_timesteps)), constant_values=np.nan)
        signals[modality.name] = Signal(values, rate=modality.rate)
    return Recording(signals, name="new")


class TestExplainTimeline:
    @pytest.mark.filterwarnings("ignore::stf2m_sk.recordings.RecordingWarning")
    @pytest.mark.parametrize("unlabelled", [True, False])
    @pytest.mark.parametrize("has_networks", [True, False])
    def test_sums_are_the_logits_of_the_timeline(
        self, request, lasting, clips, people, recording, window, unlabelled, has_networks
    ):
        classifier = request.getfixturevalue("with_networks") if has_networks else lasting
        person = classifier.adapt(clips[:3], people.new_target[:3])  # labelled clips stay
        how = {"window": window, "step": window / 2, "unlabelled": unlabelled}
        explained = explain_timeline(person, recording, **how)
        expected = predict_timeline(person, recording, **how)
        measured = ~np.isnan(expected.probabilities).any(axis=1)
        assert 5 < measured.sum() < len(expected)
        np.testing.assert_array_equal(explained.timeline.start, expected.start)
        np.testing.assert_array_equal(np.isnan(explained.total).any(axis=1), ~measured)
        logs = np.log(expected.probabilities[measured])
        total = explained.total[measured]
        np.testing.assert_allclose(
            total - total.mean(axis=1, keepdims=True),
            logs - logs.mean(axis=1, keepdims=True),
            atol=1e-5 * (1 + np.abs(total).max()),
        )

    @pytest.mark.filterwarnings("ignore::stf2m_sk.recordings.RecordingWarning")
    @pytest.mark.parametrize("unlabelled", [True, False])
    def test_a_pipeline(self, quick, people, recording, window, unlabelled):
        pipeline = make_pipeline(ViewSelector(drop=["skin"]), quick())
        seen = people.views.present[:, 1]
        pipeline.fit(people.views[seen], people.target[seen])
        # A stretch in which the pulse is measured.
        pulse = ~np.isnan(recording["pulse"].values[0])
        first = 8 * np.flatnonzero(pulse.reshape(-1, 8).all(axis=1))
        own = {
            n: s.values[:, int(first[0] * s.rate) : int((first[0] + 8) * s.rate)]
            for n, s in recording.signals.items()
        }
        recording = Recording({n: Signal(v, rate=recording[n].rate) for n, v in own.items()})
        explained = explain_timeline(pipeline, recording, window=window / 2, unlabelled=unlabelled)
        assert explained.modalities == ("pulse",)
        measured = ~np.isnan(explained.total).any(axis=1)
        np.testing.assert_allclose(
            softmax(explained.total[measured], axis=1),
            explained.timeline.probabilities[measured],
            atol=1e-5,
        )

    @pytest.mark.filterwarnings("ignore::stf2m_sk.recordings.RecordingWarning")
    def test_the_table(self, lasting, recording, window):
        explained = explain_timeline(lasting, recording, window=window)
        table = explained.to_frame()
        assert table.columns.tolist() == ["start", "end", "emotion", "term", "contribution"]
        assert len(table) == len(explained) * len(lasting.classes_) * 5
        sums = table.groupby(["start", "emotion"])["contribution"].sum(min_count=5)
        for i in (0, 2):
            own = [sums[explained.timeline.start[i], label] for label in lasting.classes_]
            np.testing.assert_allclose(own, explained.total[i])

    def test_a_modality_that_was_not_recorded(self, lasting, recording, window):
        with pytest.warns(RecordingWarning, match="lacks \\['pulse'\\]"):
            explained = explain_timeline(lasting, recording.select("skin"), window=window)
        assert explained.modalities == ("skin", "pulse")
        measured = ~np.isnan(explained.total).any(axis=1)
        assert not explained.by_modality[measured][:, :, 1].any()

    def test_the_classifier_is_not_changed(self, fitted, recording, window):
        """The fixture compares its state before and after."""
        explain_timeline(fitted, recording, window=window)

    def test_another_classifier(self, recording, window):
        with pytest.raises(TypeError, match="got LogisticRegression"):
            explain_timeline(LogisticRegression(), recording, window=window)

    def test_refusals(self, lasting, recording, window, quick):
        with pytest.raises(ValueError, match="window"):
            explain_timeline(lasting, recording, window=-window)
        with pytest.raises(NotFittedError):
            explain_timeline(quick(), recording, window=window)
