"""Live predictions: the same as the causal timeline, whatever the chunks."""

import tracemalloc
import warnings
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk import STF2MClassifier
from stf2m_sk.recordings import Recording, RecordingError, RecordingWarning, Signal
from stf2m_sk.recordings._predict import predict_timeline
from stf2m_sk.recordings._stream import StreamPredictor
from stf2m_sk.views import Views

RATES = {"acc": 8.0, "eda": 4.0, "hr": 1.0}
CHANNELS = {"acc": 3, "eda": 1, "hr": 1}
WINDOW = 10.0


@cache
def fitted():
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=(60, CHANNELS[name], int(WINDOW * rate)))
        for name, rate in RATES.items()
    }
    labels = np.array(["calm", "tense"] * 30)
    arrays["eda"][labels == "tense"] += 1
    clf = STF2MClassifier(n_networks=0, n_kernels=6, n_patterns=0, random_state=0)
    return clf.fit(Views(arrays, rates=RATES), labels, groups=np.arange(60) // 10)


def recording(seconds=90, starts=None, ends=None, holes=()):
    rng = np.random.default_rng(1)
    signals = {}
    for name, rate in RATES.items():
        n = int(((ends or {}).get(name, seconds) - (starts or {}).get(name, 0.0)) * rate)
        values = rng.normal(size=(CHANNELS[name], n)).astype(np.float32)
        for first, last in holes:
            values[:, int(first * rate) : int(last * rate)] = np.nan
        signals[name] = Signal(values, rate=rate, start=(starts or {}).get(name, 0.0))
    return Recording(signals)


def streamed(predictor, source, chunks):
    """Push all signals in chunks: pairs of a name and a number of samples, round and round."""
    done, results = dict.fromkeys(source.signals, 0), []
    while any(done[name] < signal.n_samples for name, signal in source.signals.items()):
        for name, n in chunks:
            values = source[name].values[:, done[name] : done[name] + n]
            done[name] += values.shape[1]
            results += predictor.push(name, values)
    return results


def batch(source, step, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return predict_timeline(fitted(), source, window=WINDOW, step=step, causal=True, **more)


def same(results, line):
    np.testing.assert_allclose([r.start for r in results], line.start, rtol=0, atol=1e-9)
    np.testing.assert_allclose([r.end for r in results], line.end, rtol=0, atol=1e-9)
    found = np.array([r.probabilities for r in results])
    np.testing.assert_allclose(found, line.probabilities, rtol=0, atol=1e-5)
    assert [r.emotion for r in results] == line.labels.tolist()


class TestLaws:
    @given(
        chunks=st.permutations(list(RATES)).flatmap(
            lambda names: st.tuples(*(st.tuples(st.just(n), st.integers(1, 300)) for n in names))
        ),
        step=st.sampled_from([3.0, 7.3, 10.0, 12.5]),
        starts=st.fixed_dictionaries({"acc": st.integers(0, 80), "hr": st.integers(0, 20)}),
        hole=st.tuples(st.integers(0, 60), st.integers(0, 30)),
        in_utc=st.booleans(),
    )
    @settings(max_examples=25, deadline=None)
    def test_any_chunks_give_the_causal_timeline(self, chunks, step, starts, hole, in_utc):
        zero = 1_644_226_061.0 * in_utc
        starts = {"acc": starts["acc"] / 8, "eda": 0.0, "hr": float(starts["hr"])}
        source = recording(starts=starts, holes=[(hole[0], sum(hole))])
        if in_utc:
            moved = {
                name: Signal(s.values, s.rate, zero + s.start) for name, s in source.signals.items()
            }
            source = Recording(moved)
        moved = {name: zero + start for name, start in starts.items()}
        predictor = StreamPredictor(fitted(), WINDOW, step, starts=moved)
        results = streamed(predictor, source, chunks) + predictor.finish()
        same(results, batch(source, step))

    def test_without_unlabelled_clips(self):
        source = recording()
        predictor = StreamPredictor(fitted(), WINDOW, unlabelled=False)
        same(
            streamed(predictor, source, [(n, 5) for n in RATES]),
            batch(source, 10.0, unlabelled=False),
        )


class TestTiming:
    def test_a_window_is_answered_with_its_last_sample(self):
        source = recording()
        predictor = StreamPredictor(fitted(), WINDOW)
        assert predictor.push("acc", source["acc"].values[:, :200]) == []
        assert predictor.push("hr", source["hr"].values[:, :25]) == []
        assert predictor.push("eda", source["eda"].values[:, :39]) == []
        (result,) = predictor.push("eda", source["eda"].values[:, 39:40])
        assert (result.start, result.end) == (0.0, 10.0)
        assert result.probabilities.sum() == pytest.approx(1)
        assert result.emotion == predictor.classes_[result.probabilities.argmax()]
        assert [r.end for r in predictor.push("eda", source["eda"].values[:, 40:100])] == [20.0]

    def test_only_declared_signals_are_waited_for(self):
        source = recording().select("eda")
        predictor = StreamPredictor(fitted(), WINDOW, rates={"eda": 4})
        same(predictor.push("eda", source["eda"].values[0]), batch(source, 10.0))

    def test_finish_answers_what_one_signal_has_reached(self):
        source = recording(ends={"eda": 84.5, "hr": 81.0, "acc": 90.5})
        predictor = StreamPredictor(fitted(), WINDOW)
        results = streamed(predictor, source, [(name, 40) for name in RATES])
        assert [r.end for r in results] == [10.0 * i for i in range(1, 9)]
        last = predictor.finish()
        assert [r.end for r in last] == [90.0]
        same(results + last, batch(source, 10.0))
        assert predictor.finish() == []

    def test_finish_of_a_short_recording_and_of_none(self):
        source = recording(seconds=6)
        predictor = StreamPredictor(fitted(), WINDOW)
        assert predictor.finish() == []
        assert streamed(predictor, source, [(name, 9) for name in RATES]) == []
        same(predictor.finish(), batch(source, 10.0))

    def test_a_signal_that_stays_away_is_waited_for_so_long(self):
        source = recording()
        predictor = StreamPredictor(fitted(), WINDOW, rates={"eda": 4, "hr": 1}, patience=25)
        assert predictor.push("hr", source["hr"].values[:, :10]) == []
        assert len(predictor.push("eda", source["eda"].values[:, :140])) == 1  # 35 s: 25 ahead
        with pytest.warns(RecordingWarning, match="signal 'hr' is 25.25 s behind") as caught:
            results = predictor.push("eda", source["eda"].values[:, 140:141])
        assert [r.end for r in results] == [20.0, 30.0] and caught[0].filename == __file__
        half = source["hr"].values.copy()
        half[:, 10:30] = np.nan
        lost = Recording({"eda": source["eda"], "hr": Signal(half, rate=1)})
        line = batch(lost, 10.0)
        found = np.array([r.probabilities for r in results])
        np.testing.assert_allclose(found, line.probabilities[1:3], atol=1e-5)
        # It comes back, and what is late is left out.
        results = predictor.push("hr", source["hr"].values[:, 10:40])
        results += predictor.push("eda", source["eda"].values[:, 141:160])
        assert [r.end for r in results] == [40.0]
        np.testing.assert_allclose(results[0].probabilities, line.probabilities[3], atol=1e-5)

    def test_without_patience_a_window_still_waits_for_its_end(self):
        source = recording()
        predictor = StreamPredictor(fitted(), WINDOW, rates={"eda": 4, "hr": 1}, patience=0)
        with pytest.warns(RecordingWarning, match="signal 'hr' is 10 s behind"):
            assert predictor.push("eda", source["eda"].values[:, :39]) == []
            assert len(predictor.push("eda", source["eda"].values[:, 39:40])) == 1

    def test_memory_is_that_of_a_window(self):
        predictor = StreamPredictor(Always(), 1.0, rates={"x": 1000}, unlabelled=False)
        chunk = np.ones(1000, dtype=np.float32)
        tracemalloc.start()
        for i in range(300):
            assert len(predictor.push("x", chunk.copy())) == 1
            if i == 50:
                before = tracemalloc.get_traced_memory()[0]
        growth = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert growth < 100_000  # what was pushed since is ten times that


class Always:
    """A classifier of Views that costs nothing."""

    classes_ = np.array(["calm", "tense"])

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"rates": {"EDA": 4}}, r"signal 'EDA' is unknown to the classifier, .*'eda'"),
            ({"rates": {"eda": 8}}, "'eda' has 8 Hz, but the classifier was trained on 4 Hz"),
            ({"rates": {}}, "rates names no signal"),
            ({"starts": {"EDA": 1}}, r"starts names \['EDA'\], but the signals are \['acc', 'eda'"),
        ],
    )
    def test_of_declarations(self, arguments, message):
        with pytest.raises(RecordingError, match=message):
            StreamPredictor(fitted(), WINDOW, **arguments)

    def test_of_numbers(self):
        with pytest.raises(ValueError, match="window must be a positive number"):
            StreamPredictor(fitted(), 0)
        with pytest.raises(ValueError, match="patience must be 0 or a positive number"):
            StreamPredictor(fitted(), WINDOW, patience=-1)

    def test_rates_that_nobody_knows(self):
        arrays = {"eda": np.random.default_rng(0).normal(size=(8, 1, 20))}
        clf = STF2MClassifier(n_networks=0, n_kernels=4, n_patterns=0, random_state=0)
        clf.fit(Views(arrays), ["a", "b"] * 4)
        with pytest.raises(RecordingError, match=r"does not say at which rates .* give `rates`"):
            StreamPredictor(clf, 5)
        assert len(StreamPredictor(clf, 5, rates={"eda": 4}).push("eda", np.ones(20))) == 1

    @pytest.mark.parametrize(
        ("name", "samples", "message"),
        [
            ("EDA", [1.0], r"'EDA' was not declared; expected one of \['acc', 'eda', 'hr'\]"),
            ("acc", [1.0, 2.0], r"'acc' have shape \(2,\); expected \(3, n_samples\)"),
            ("acc", np.ones((4, 3)), r"'acc' have shape \(4, 3\); expected \(3, n_samples\)"),
            ("hr", ["x"], "'hr' must be numbers, given <U1"),
            ("hr", [np.inf], "'hr' hold infinite values; use NaN"),
        ],
    )
    def test_of_samples_takes_nothing(self, name, samples, message):
        source = recording()
        predictor = StreamPredictor(fitted(), WINDOW)
        with pytest.raises(RecordingError, match=message):
            predictor.push(name, samples)
        same(streamed(predictor, source, [(n, 50) for n in RATES]), batch(source, 10.0))
